#include "certificates.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

namespace troupe::tools {

namespace {

using std::filesystem::path;
using KeyPtr = std::shared_ptr<EVP_PKEY>;
using CertificatePtr = std::shared_ptr<X509>;

constexpr std::string_view scheme = "troupe://";

[[noreturn]] void fail(const std::string& what) {
  const unsigned long code = ERR_peek_last_error();
  char text[256];
  ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  throw BadCertificates(code != 0 ? what + ": " + text : what);
}
void check(bool is_fine, const char* what) {
  if (!is_fine) fail(std::string("OpenSSL can't ") + what);
}

/// What follows a cluster's name in the common name of its authority.
constexpr std::string_view of_authority = " authority";

const std::string& checked_name(const std::string& name, const char* of_what) {
  constexpr std::size_t name_bytes_max = 64 - of_authority.size();  // RFC 5280: ub-common-name
  const bool is_fine = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
  if (name.empty() || name.size() > name_bytes_max || !is_fine || name.front() == '.')
    throw BadCertificates("\"" + name + "\" can't be the name of a " + of_what + ": write up to " +
                          std::to_string(name_bytes_max) + " letters, digits, '-', '_' and '.'");
  return name;
}

KeyPtr new_key() {
  char curve[] = "P-256";  // EVP_EC_gen casts const away
  KeyPtr key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", curve), &EVP_PKEY_free);
  check(key != nullptr, "make a key");
  return key;
}

void add_extension(X509* certificate, X509* issuer, int kind, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> extension(
      X509V3_EXT_conf_nid(nullptr, &context, kind, value), &X509_EXTENSION_free);
  check(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1,
        "extend a certificate");
}

void set_time(ASN1_TIME* field, std::chrono::system_clock::time_point time) {
  check(ASN1_TIME_set(field, std::chrono::system_clock::to_time_t(time)) != nullptr,
        "write a date");
}

/// All but the extensions that tell an authority from a node, and the signature. `name` has been
/// checked, so it ends no field early.
CertificatePtr new_certificate(EVP_PKEY* key, const std::string& common_name,
                               const std::string& uri, const Validity& validity) {
  CertificatePtr made(X509_new(), &X509_free);
  X509* const c = made.get();
  check(c != nullptr && X509_set_version(c, X509_VERSION_3) == 1 && X509_set_pubkey(c, key) == 1,
        "make a certificate");
  std::array<unsigned char, 16> serial{};
  check(RAND_bytes(serial.data(), serial.size()) == 1, "make a serial number");
  serial[0] &= 0x7f;  // positive: RFC 5280, 4.1.2.2
  const std::unique_ptr<BIGNUM, decltype(&BN_free)> number(
      BN_bin2bn(serial.data(), serial.size(), nullptr), &BN_free);
  check(number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(c)) != nullptr,
        "make a serial number");
  set_time(X509_getm_notBefore(c), validity.from);
  set_time(X509_getm_notAfter(c), validity.until);
  const auto* text = reinterpret_cast<const unsigned char*>(common_name.c_str());
  check(X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "CN", MBSTRING_UTF8, text, -1, -1,
                                   0) == 1,
        "name a certificate");
  if (!uri.empty()) add_extension(c, c, NID_subject_alt_name, ("URI:" + uri).c_str());
  return made;
}

void sign(X509* certificate, EVP_PKEY* key) {
  check(X509_sign(certificate, key, EVP_sha256()) > 0, "sign a certificate");
}

std::string uri_of(X509* certificate) {
  const auto free_names = [](GENERAL_NAMES* names) { GENERAL_NAMES_free(names); };
  const std::unique_ptr<GENERAL_NAMES, decltype(free_names)> names(
      static_cast<GENERAL_NAMES*>(
          X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)),
      free_names);
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI) continue;
    const ASN1_IA5STRING* uri = name->d.uniformResourceIdentifier;
    return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(uri)),
            static_cast<std::size_t>(ASN1_STRING_length(uri))};
  }
  return {};
}

using Bio = std::unique_ptr<BIO, decltype(&BIO_free_all)>;

Bio opened(const path& file) {
  Bio bio(BIO_new_file(file.c_str(), "r"), &BIO_free_all);
  if (bio == nullptr) {
    ERR_clear_error();
    throw BadCertificates("can't read " + file.string() + ": " + std::strerror(errno));
  }
  return bio;
}

/// Nobody sees it half written, nor with others' permissions.
void write_file(const path& file, mode_t mode, BIO* content) {
  char* bytes = nullptr;
  const long count = BIO_get_mem_data(content, &bytes);
  const path fresh = file.string() + ".new";
  std::filesystem::remove(fresh);
  const int descriptor = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  bool is_written =
      descriptor >= 0 && ::write(descriptor, bytes, static_cast<std::size_t>(count)) == count;
  if (descriptor >= 0) is_written = ::fsync(descriptor) == 0 && is_written;
  if (descriptor >= 0) is_written = ::close(descriptor) == 0 && is_written;
  if (!is_written || ::rename(fresh.c_str(), file.c_str()) != 0)
    throw BadCertificates("can't write " + file.string() + ": " + std::strerror(errno));
}

}  // namespace

void write_credentials(const Credentials& credentials, const path& directory,
                       const std::string& name) {
  const Bio key(BIO_new(BIO_s_mem()), &BIO_free_all);
  const Bio certificate(BIO_new(BIO_s_mem()), &BIO_free_all);
  check(PEM_write_bio_PrivateKey(key.get(), credentials.key.get(), nullptr, nullptr, 0, nullptr,
                                 nullptr) == 1 &&
            PEM_write_bio_X509(certificate.get(), credentials.certificate.get()) == 1,
        "write a certificate");
  write_file(directory / (name + ".key"), 0600, key.get());
  write_file(directory / (name + ".pem"), 0644, certificate.get());
}

Authority::Authority(const std::string& cluster, const Validity& validity)
    : cluster_(checked_name(cluster, "cluster")) {
  own_.key = new_key();
  own_.certificate = new_certificate(own_.key.get(), cluster + std::string(of_authority),
                                     std::string(scheme) + cluster, validity);
  X509* const c = own_.certificate.get();
  check(X509_set_issuer_name(c, X509_get_subject_name(c)) == 1, "name an issuer");
  add_extension(c, c, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
  add_extension(c, c, NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(c, c, NID_subject_key_identifier, "hash");
  sign(c, own_.key.get());
}

Authority Authority::read(const path& directory) {
  const path pem = directory / "authority.pem";
  const Bio certificate = opened(pem);
  const Bio key = opened(directory / "authority.key");
  Credentials own;
  own.certificate = {PEM_read_bio_X509(certificate.get(), nullptr, nullptr, nullptr), &X509_free};
  own.key = {PEM_read_bio_PrivateKey(key.get(), nullptr, nullptr, nullptr), &EVP_PKEY_free};
  if (own.certificate == nullptr) fail(pem.string() + " holds no certificate");
  if (own.key == nullptr || X509_check_private_key(own.certificate.get(), own.key.get()) != 1)
    fail((directory / "authority.key").string() + " is not the key of " + pem.string());
  const std::string uri = uri_of(own.certificate.get());
  if (!uri.starts_with(scheme))
    throw BadCertificates(pem.string() + " is no authority that `troupe cert init` made");
  return {checked_name(uri.substr(scheme.size()), "cluster"), std::move(own)};
}

void Authority::write(const path& directory) const {
  std::error_code e;
  std::filesystem::create_directories(directory, e);
  if (e) throw BadCertificates("can't make the folder " + directory.string() + ": " + e.message());
  if (std::filesystem::exists(directory / "authority.pem") ||
      std::filesystem::exists(directory / "authority.key"))
    throw BadCertificates("there is an authority in " + directory.string() +
                          ": its nodes would trust nobody any more; take another folder");
  write_credentials(own_, directory, "authority");
}

Credentials Authority::issue(const NodeTerms& terms) const {
  const std::string& node = checked_name(terms.node, "node");
  if (node == "authority") throw BadCertificates("a node can't be named \"authority\"");
  const std::string uri = std::string(scheme) + checked_name(terms.cluster, "cluster") + "/" + node;
  Credentials made;
  made.key = new_key();
  made.certificate =
      new_certificate(made.key.get(), node, terms.names_it ? uri : "", terms.validity);
  X509* const c = made.certificate.get();
  X509* const own = own_.certificate.get();
  check(X509_set_issuer_name(c, X509_get_subject_name(own)) == 1, "name an issuer");
  add_extension(c, own, NID_basic_constraints, "critical,CA:FALSE");
  add_extension(c, own, NID_key_usage, "critical,digitalSignature");
  std::string usages = terms.is_for_servers ? "serverAuth" : "";
  if (terms.is_for_clients) usages += usages.empty() ? "clientAuth" : ",clientAuth";
  if (!usages.empty()) add_extension(c, own, NID_ext_key_usage, usages.c_str());
  add_extension(c, own, NID_authority_key_identifier, "keyid:always");
  sign(c, own_.key.get());
  return made;
}

}  // namespace troupe::tools
