#include "tls_stream.hpp"

#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <troupe/runtime/detail/mutant.hpp>
#include <troupe/runtime/error.hpp>

namespace troupe::remoting::detail {

namespace {

using Kind = StreamResult::Kind;

/// The newest of OpenSSL's errors on this thread, in words; they are done with.
std::string openssl_error() {
  const unsigned long code = ERR_peek_last_error();
  char text[256] = "unknown error";
  if (code != 0) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return text;
}

[[noreturn]] void refuse(const std::filesystem::path& file, const std::string& why) {
  throw UsageError("the file " + file.string() + " of the certificates " + why);
}

}  // namespace

// ---- plain

StreamResult PlainStream::read(std::span<std::byte> into) const {
  const ssize_t got = ::recv(socket_, into.data(), into.size(), 0);
  if (got > 0) return {Kind::done, static_cast<std::size_t>(got), {}};
  if (got == 0) return {.kind = Kind::ended, .why = {}};
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
    return {.kind = Kind::wants_read, .why = {}};
  return {.kind = Kind::failed, .why = std::strerror(errno)};
}

StreamResult PlainStream::write(std::span<const std::byte> bytes) const {
  const ssize_t put = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (put >= 0) return {Kind::done, static_cast<std::size_t>(put), {}};
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
    return {.kind = Kind::wants_write, .why = {}};
  return {.kind = Kind::failed, .why = std::strerror(errno)};
}

// ---- TLS

TlsContext::TlsContext(const TlsFiles& files)
    : context_(SSL_CTX_new(TLS_method()), [](SSL_CTX* c) { SSL_CTX_free(c); }) {
  SSL_CTX* const c = context_.get();
  if (c == nullptr) throw UsageError("OpenSSL can't begin: " + openssl_error());
  struct stat key_file {};
  if (::stat(files.key.c_str(), &key_file) != 0)
    refuse(files.key, std::string("can't be read: ") + std::strerror(errno));
  if ((key_file.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    refuse(files.key, "can be read by others: chmod 0600 it");
  ERR_clear_error();
  SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION);
  const bool looks = !troupe::detail::mutant("any_authority_will_do");
  SSL_CTX_set_verify(c, looks ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT : SSL_VERIFY_NONE,
                     nullptr);
  SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // Each epoch proves itself anew: a resumed session would go by a certificate seen before.
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(c, 0);
  if (SSL_CTX_load_verify_locations(c, files.authority.c_str(), nullptr) != 1)
    refuse(files.authority, "holds no authority: " + openssl_error());
  if (SSL_CTX_use_certificate_chain_file(c, files.certificate.c_str()) != 1)
    refuse(files.certificate, "holds no certificate: " + openssl_error());
  bool is_encrypted = false;  // OpenSSL would ask for the pass phrase on the terminal
  SSL_CTX_set_default_passwd_cb_userdata(c, &is_encrypted);
  SSL_CTX_set_default_passwd_cb(c, [](char*, int, int, void* asked) {
    *static_cast<bool*>(asked) = true;
    return -1;
  });
  const bool is_read = SSL_CTX_use_PrivateKey_file(c, files.key.c_str(), SSL_FILETYPE_PEM) == 1;
  SSL_CTX_set_default_passwd_cb_userdata(c, nullptr);
  if (is_encrypted) refuse(files.key, "has a pass phrase: store the key without one, mode 0600");
  if (!is_read) refuse(files.key, "holds no private key: " + openssl_error());
  if (SSL_CTX_check_private_key(c) != 1)
    refuse(files.key, "is not the key of the certificate " + files.certificate.string());
}

TlsStream::TlsStream(const TlsContext& context, int socket, bool is_dialer)
    : ssl_(SSL_new(context.get()), [](SSL* s) { SSL_free(s); }) {
  SSL* const s = ssl_.get();
  if (s == nullptr || SSL_set_fd(s, socket) != 1)
    throw std::runtime_error("OpenSSL can't begin a connection: " + openssl_error());
  is_dialer ? SSL_set_connect_state(s) : SSL_set_accept_state(s);
}

StreamResult TlsStream::result_of(int code, const char* what) const {
  switch (SSL_get_error(ssl_.get(), code)) {
    case SSL_ERROR_WANT_READ: return {.kind = Kind::wants_read, .why = {}};
    case SSL_ERROR_WANT_WRITE: return {.kind = Kind::wants_write, .why = {}};
    case SSL_ERROR_ZERO_RETURN: return {.kind = Kind::ended, .why = {}};
    case SSL_ERROR_SYSCALL:
      if (ERR_peek_error() == 0)
        return {.kind = Kind::failed,
                .why = std::string(what) + ": " +
                       (errno != 0 ? std::strerror(errno) : "the connection was closed")};
      break;
    default: break;
  }
  const int reason = ERR_GET_REASON(ERR_peek_last_error());
  std::string why = std::string(what) + ": " + openssl_error();
  if (reason == SSL_R_UNEXPECTED_EOF_WHILE_READING)
    return {.kind = Kind::failed, .why = std::move(why)};
  const long verified = SSL_get_verify_result(ssl_.get());
  if (verified != X509_V_OK)
    why += std::string("; its certificate: ") + X509_verify_cert_error_string(verified);
  const bool is_alert = reason >= SSL_AD_REASON_OFFSET;
  return {.kind = Kind::untrusted, .why = std::move(why), .by_peer = is_alert};
}

StreamResult TlsStream::handshake() {
  ERR_clear_error();
  errno = 0;
  const int code = SSL_do_handshake(ssl_.get());
  return code == 1 ? StreamResult{} : result_of(code, "TLS handshake");
}

StreamResult TlsStream::read(std::span<std::byte> into) {
  ERR_clear_error();
  errno = 0;
  std::size_t got = 0;
  const int code = SSL_read_ex(ssl_.get(), into.data(), into.size(), &got);
  return code == 1 ? StreamResult{Kind::done, got, {}} : result_of(code, "TLS");
}

StreamResult TlsStream::write(std::span<const std::byte> bytes) {
  ERR_clear_error();
  errno = 0;
  std::size_t put = 0;
  const int code = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &put);
  return code == 1 ? StreamResult{Kind::done, put, {}} : result_of(code, "TLS");
}

std::vector<std::string> TlsStream::peer_uris() const {
  std::vector<std::string> uris;
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(
      SSL_get1_peer_certificate(ssl_.get()), &X509_free);
  if (certificate == nullptr) return uris;
  const auto free_names = [](GENERAL_NAMES* names) { GENERAL_NAMES_free(names); };
  const std::unique_ptr<GENERAL_NAMES, decltype(free_names)> names(
      static_cast<GENERAL_NAMES*>(
          X509_get_ext_d2i(certificate.get(), NID_subject_alt_name, nullptr, nullptr)),
      free_names);
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI) continue;
    const ASN1_IA5STRING* uri = name->d.uniformResourceIdentifier;
    const auto* text = reinterpret_cast<const char*>(ASN1_STRING_get0_data(uri));
    uris.emplace_back(text, static_cast<std::size_t>(ASN1_STRING_length(uri)));
  }
  return uris;
}

}  // namespace troupe::remoting::detail
