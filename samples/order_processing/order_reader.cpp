#include "order_reader.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

namespace orders {

namespace {

/// Takes the parser's events and keeps the fields of an order: no document is built.
class OrderEvents final : public nlohmann::json_sax<nlohmann::json> {
 public:
  Order order;
  std::string why;

  bool finish() {
    if (!why.empty()) return false;
    static constexpr const char* names[] = {"order_id", "user_id", "items", "total", "timestamp"};
    for (std::size_t i = 0; i < 5; ++i) {
      if ((seen_ >> i & 1) == 0) return fail(std::string("field \"") + names[i] + "\" is missing");
    }
    if (order.id.empty()) return fail("field \"order_id\" is empty");
    if (order.items.empty()) return fail("field \"items\" is empty");
    return true;
  }

  bool key(std::string& name) override {
    if (depth_ == 1) {
      field_ = name == "order_id"    ? Field::id
               : name == "user_id"   ? Field::user
               : name == "items"     ? Field::items
               : name == "total"     ? Field::total
               : name == "timestamp" ? Field::timestamp
                                     : Field::other;
      if (field_ == Field::other) return true;
      const unsigned bit = 1u << static_cast<unsigned>(field_);
      if ((seen_ & bit) != 0) return fail("field \"" + name + "\" is there twice");
      seen_ |= bit;
    } else if (in_item()) {
      item_field_ = name == "product" ? ItemField::product
                    : name == "qty"   ? ItemField::quantity
                                      : ItemField::other;
    }
    return true;
  }
  bool string(std::string& value) override {
    if (in_item()) {
      if (item_field_ == ItemField::product) order.items.back().product = std::move(value);
      if (item_field_ == ItemField::quantity) return fail("\"qty\" is not a positive integer");
      return true;
    }
    if (depth_ != 1) return wrong_place();
    switch (field_) {
      case Field::id: order.id = std::move(value); return true;
      case Field::user: order.user_id = std::move(value); return true;
      case Field::timestamp: order.timestamp = std::move(value); return true;
      case Field::total: return total(value);
      case Field::items: return fail("field \"items\" is not a list");
      case Field::other: return true;
    }
    return true;
  }
  bool number_integer(std::int64_t value) override { return integer(value, std::to_string(value)); }
  bool number_unsigned(std::uint64_t value) override {
    return integer(value > INT64_MAX ? INT64_MAX : static_cast<std::int64_t>(value),
                   std::to_string(value));
  }
  bool number_float(double, const std::string& text) override {
    if (in_item()) {
      return item_field_ == ItemField::quantity ? fail("\"qty\" is not a positive integer")
                                                : product_must_be_text();
    }
    if (depth_ == 1 && field_ == Field::total) return total(text);
    return depth_ == 1 ? not_text() : wrong_place();
  }
  bool boolean(bool) override { return other_value(); }
  bool null() override { return other_value(); }
  bool binary(nlohmann::json::binary_t&) override { return other_value(); }
  bool start_object(std::size_t) override {
    ++depth_;
    if (depth_ == 1) return true;
    if (depth_ == 3 && in_list_ && field_ == Field::items) {
      order.items.emplace_back();
      item_field_ = ItemField::other;
      return true;
    }
    return depth_ == 2 && field_ != Field::other ? not_text() : in_unknown();
  }
  bool end_object() override {
    if (in_item()) {
      const Item& item = order.items.back();
      if (item.product.empty()) return fail("an item has no \"product\"");
      if (item.quantity <= 0)
        return fail("an item has no \"qty\", or it is not a positive integer");
    }
    --depth_;
    return true;
  }
  bool start_array(std::size_t) override {
    ++depth_;
    if (depth_ == 1) return fail("the line is not a JSON object");
    if (depth_ == 2 && field_ == Field::items) {
      in_list_ = true;
      return true;
    }
    if (depth_ == 3 && in_list_) return fail("an item is not an object");
    return depth_ == 2 && field_ != Field::other ? not_text() : in_unknown();
  }
  bool end_array() override {
    if (depth_ == 2) in_list_ = false;
    --depth_;
    return true;
  }
  bool parse_error(std::size_t at, const std::string&, const nlohmann::json::exception&) override {
    return fail("not JSON (at byte " + std::to_string(at) + ")");
  }

 private:
  enum class Field : unsigned { id, user, items, total, timestamp, other };
  enum class ItemField : unsigned { product, quantity, other };

  [[nodiscard]] bool in_item() const { return depth_ == 3 && in_list_; }
  bool fail(std::string text) {
    if (why.empty()) why = std::move(text);
    return false;
  }
  bool not_text() {
    static constexpr const char* wants[] = {"a string", "a string", "a list", "a number or string",
                                            "a string"};
    static constexpr const char* names[] = {"order_id", "user_id", "items", "total", "timestamp"};
    const auto i = static_cast<std::size_t>(field_);
    return field_ == Field::other ||
           fail(std::string("field \"") + names[i] + "\" is not " + wants[i]);
  }
  bool product_must_be_text() {
    return item_field_ == ItemField::product ? fail("\"product\" is not a string") : true;
  }
  bool wrong_place() {
    if (depth_ == 0) return fail("the line is not a JSON object");
    if (depth_ == 2 && in_list_) return fail("an item is not an object");
    return true;  // inside a field nobody asked for
  }
  [[nodiscard]] bool in_unknown() {
    return !(in_list_ && item_field_ != ItemField::other && depth_ == 4) ||
           fail("an item's field has the wrong type");
  }
  bool total(const std::string& text) {
    const auto cents = parse_money(text, why);
    if (!cents) {
      why = "total " + why;
      return false;
    }
    order.total = *cents;
    return true;
  }
  bool integer(std::int64_t value, const std::string& text) {
    if (in_item()) {
      if (item_field_ == ItemField::quantity) {
        if (value <= 0 || value > 1'000'000'000)
          return fail("\"qty\" is not a positive integer (at most 1000000000)");
        order.items.back().quantity = value;
      }
      return product_must_be_text();
    }
    if (depth_ == 1 && field_ == Field::total) return total(text);
    return depth_ == 1 ? not_text() : wrong_place();
  }
  bool other_value() {
    if (in_item())
      return item_field_ == ItemField::other || fail("an item's field has the wrong type");
    return depth_ == 1 ? not_text() : wrong_place();
  }

  int depth_ = 0;
  bool in_list_ = false;
  unsigned seen_ = 0;
  Field field_ = Field::other;
  ItemField item_field_ = ItemField::other;
};

}  // namespace

std::optional<Order> parse_order(std::string_view line, std::string& why) {
  OrderEvents events;
  nlohmann::json::sax_parse(line.begin(), line.end(), &events);
  if (events.finish()) return std::move(events.order);
  why = std::move(events.why);
  return std::nullopt;
}

LineReader::LineReader(const std::string& path) : path_(path), buffer_(256 * 1024) {
  const bool standard_input = path == "-";
  constexpr int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;  // else a pipe waits for its writer here
  file_ = standard_input ? STDIN_FILENO : open(path.c_str(), flags);
  struct stat status {};
  const bool is_readable = file_ >= 0 && fstat(file_, &status) == 0;
  if (!is_readable || S_ISDIR(status.st_mode)) {
    const int error = is_readable ? EISDIR : errno;
    if (file_ >= 0 && !standard_input) close(file_);
    throw std::runtime_error("can't read " + path + ": " + std::strerror(error));
  }
  owned_ = !standard_input;
  if (S_ISREG(status.st_mode)) bytes_total_ = static_cast<std::uint64_t>(status.st_size);
}

LineReader::~LineReader() {
  if (owned_) close(file_);
}

bool LineReader::fill(const EarlyEnd& early_end) {
  if (begin_ > 0) {
    std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_),
              buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ == buffer_.size())
    buffer_.resize(std::min(buffer_.size() * 2, line_bytes_max + 256 * 1024));
  while (early_end.await_input(file_)) {
    const ssize_t got = read(file_, buffer_.data() + end_, buffer_.size() - end_);
    if (got > 0) {
      end_ += static_cast<std::size_t>(got);
      bytes_filled_ += static_cast<std::uint64_t>(got);
      return true;
    }
    if (got == 0) return false;
    if (errno != EINTR && errno != EAGAIN)
      throw std::runtime_error("can't read on in " + path_ + ": " + std::strerror(errno));
  }
  return false;
}

bool LineReader::next(std::string_view& line, bool& too_long, const EarlyEnd& early_end) {
  too_long = false;
  std::size_t searched = begin_;
  for (;;) {
    if (early_end.is_set()) return false;
    const void* newline = std::memchr(buffer_.data() + searched, '\n', end_ - searched);
    if (newline != nullptr) {
      const auto at = static_cast<std::size_t>(static_cast<const char*>(newline) - buffer_.data());
      line = {buffer_.data() + begin_, at - begin_};
      begin_ = at + 1;
      if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
      return true;
    }
    if (end_ - begin_ > line_bytes_max) {
      too_long = true;
      begin_ = end_;  // what was read of it is thrown away
    }
    searched = end_ - begin_;
    if (!fill(early_end)) {
      line = {buffer_.data() + begin_, end_ - begin_};
      begin_ = end_;
      return !early_end.is_set() && (!line.empty() || too_long);
    }
  }
}

}  // namespace orders
