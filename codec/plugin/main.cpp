// capnpc-troupe: the schema compiler's plugin. `capnp compile -o./capnpc-troupe:OUT orders.capnp`
// writes OUT/orders.capnp.hpp, .codec.hpp and .cpp.
#include <unistd.h>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

#include <troupe/codec/capnp_in_cpp20.hpp>

#include <capnp/serialize.h>
#include <kj/exception.h>

#include "emit.hpp"
#include "read_model.hpp"
#include "source_line.hpp"

namespace {

namespace fs = std::filesystem;
using namespace troupe::codec;

void write_file(const fs::path& path, const std::string& text) {
  if (path.has_parent_path()) fs::create_directories(path.parent_path());
  std::ofstream out{path, std::ios::binary};
  out << text;
  out.flush();
  if (!out) throw std::runtime_error("can't write " + fs::absolute(path).string());
}

/// False: it was refused, and why was said.
bool generate(capnp::schema::CodeGeneratorRequest::Reader request,
              capnp::schema::CodeGeneratorRequest::RequestedFile::Reader file) {
  const std::string name = file.getFilename().cStr();
  try {
    const Model model = read_model(request, file);
    write_file(name + ".hpp", emit_types(model));
    write_file(name + ".codec.hpp", emit_codec_header(model));
    write_file(name + ".cpp", emit_codec(model));
    return true;
  } catch (const SchemaError& e) {
    std::cerr << name << line_of(name, e.where())
              << ": error: " << (e.where().empty() ? "" : e.where() + ": ") << e.what() << '\n';
    return false;
  }
}

}  // namespace

int main() {
  try {
    capnp::ReaderOptions options;
    options.traversalLimitInWords = std::uint64_t{1} << 30;  // the compiler's own, of this machine
    capnp::StreamFdMessageReader reader{STDIN_FILENO, options};
    const auto request = reader.getRoot<capnp::schema::CodeGeneratorRequest>();
    bool is_fine = true;
    for (auto file : request.getRequestedFiles()) is_fine = generate(request, file) && is_fine;
    return is_fine ? 0 : 1;
  } catch (const kj::Exception& e) {
    std::cerr << "capnpc-troupe: " << e.getDescription().cStr() << '\n';
  } catch (const std::exception& e) {
    std::cerr << "capnpc-troupe: " << e.what() << '\n';
  }
  return 1;
}
