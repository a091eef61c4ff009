// The key file: read only if nobody else can; and what it proves.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include <catch2/catch.hpp>
#include <troupe/runtime/error.hpp>

#include "cluster_key.hpp"

using troupe::UsageError;
using namespace troupe::remoting::detail;

namespace {

struct Folder {
  Folder() {
    char name[] = "/tmp/troupe-key.XXXXXX";
    path = ::mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::filesystem::path write(const std::string& name, std::size_t bytes, mode_t mode) const {
    const auto file = path / name;
    std::ofstream{file} << std::string(bytes, 'k');
    ::chmod(file.c_str(), mode);
    return file;
  }
  std::filesystem::path path;
};

std::string problem_of(const std::filesystem::path& file) {
  try {
    static_cast<void>(ClusterKey::read(file));
  } catch (const UsageError& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("SEC10 a key file that others may use is refused, and says how to mend it",
          "[remoting]") {
  const Folder folder;
  REQUIRE(problem_of(folder.write("good", 32, 0600)) == "");
  REQUIRE(problem_of(folder.write("read-only", 4096, 0400)) == "");
  for (const mode_t mode : {0640u, 0604u, 0666u, 0620u, 0601u})
    REQUIRE_THAT(problem_of(folder.write("open", 32, mode)),
                 Catch::EndsWith("may be used by others: chmod 600 it"));
  REQUIRE_THAT(problem_of(folder.write("short", 31, 0600)), Catch::Contains("shorter than 32"));
  REQUIRE_THAT(problem_of(folder.write("long", 4097, 0600)), Catch::Contains("longer than 4096"));
  REQUIRE_THAT(problem_of(folder.path / "none"), Catch::Contains("No such file"));
  REQUIRE_THAT(problem_of(folder.path), Catch::EndsWith("is no file"));
  std::filesystem::create_symlink(folder.path / "good", folder.path / "link");
  REQUIRE_THAT(problem_of(folder.path / "link"), Catch::Contains("can't be opened"));
}

TEST_CASE("SEC8 an error over a key file says nothing of the key", "[remoting]") {
  const Folder folder;
  REQUIRE_THAT(problem_of(folder.write("short", 31, 0600)), !Catch::Contains("kkk"));
}

TEST_CASE("section 3: a proof is HMAC-SHA-256 over the role and both hellos", "[remoting]") {
  const ClusterKey key{std::vector<std::byte>(32, std::byte{'k'})};
  const std::vector<Word> dialer{1, 2}, listener{3};
  // printf 'D\0\0\0\0\0\0\0' and the words 1, 2, 3 | openssl dgst -sha256 -mac HMAC -macopt
  // key:kk...
  const Proof expected{0xd9a95be1068399c9, 0x909b3f9b5a319152, 0x6944a0cf37118dcf,
                       0xd19a513c325fa85b};
  REQUIRE(key.proof(HandshakeRole::dialer, dialer, listener) == expected);
  REQUIRE(key.proof(HandshakeRole::listener, dialer, listener) != expected);
  REQUIRE(is_same_proof(expected, expected));
  Proof other = expected;
  other[3] ^= Word{1} << 63;
  REQUIRE_FALSE(is_same_proof(expected, other));
  REQUIRE_FALSE(is_same_proof(expected, std::span(expected).first(3)));
}
