#include "values.hpp"

#include <bit>
#include <cmath>
#include <cstdio>
#include <limits>

#include "names.hpp"

namespace troupe::codec {

namespace {

using Value = capnp::schema::Value;

template <class T>
std::string signed_literal(T value) {
  // The least number has no literal: its minus is applied to one that is too large.
  if (value == std::numeric_limits<std::int64_t>::min()) return "-9223372036854775807 - 1";
  return std::to_string(value);
}

template <class T>
std::string float_literal(T value, const char* type, const char* suffix) {
  const std::string limits = std::string{"std::numeric_limits<"} + type + ">::";
  if (std::isnan(value)) return limits + "quiet_NaN()";
  if (std::isinf(value)) return (value < 0 ? "-" : "") + limits + "infinity()";
  char text[40];
  std::snprintf(text, sizeof text, "%.*g", std::numeric_limits<T>::max_digits10, double{value});
  std::string result = text;
  if (result.find_first_of(".e") == std::string::npos) result += ".0";
  return result + suffix;
}

}  // namespace

std::string expression(Value::Reader value, const std::string& type_name) {
  switch (value.which()) {
    case Value::BOOL: return value.getBool() ? "true" : "false";
    case Value::INT8: return signed_literal(value.getInt8());
    case Value::INT16: return signed_literal(value.getInt16());
    case Value::INT32: return signed_literal(value.getInt32());
    case Value::INT64: return signed_literal(value.getInt64());
    case Value::UINT8: return std::to_string(value.getUint8());
    case Value::UINT16: return std::to_string(value.getUint16());
    case Value::UINT32: return std::to_string(value.getUint32()) + "u";
    case Value::UINT64: return std::to_string(value.getUint64()) + "u";
    case Value::FLOAT32: return float_literal(value.getFloat32(), "float", "f");
    case Value::FLOAT64: return float_literal(value.getFloat64(), "double", "");
    case Value::ENUM:
      return "static_cast<" + type_name + ">(" + std::to_string(value.getEnum()) + ")";
    case Value::TEXT: return quoted(value.getText().cStr());
    default: return {};
  }
}

std::uint64_t stored_bits(Value::Reader value) {
  switch (value.which()) {
    case Value::BOOL: return value.getBool() ? 1 : 0;
    case Value::INT8: return static_cast<std::uint8_t>(value.getInt8());
    case Value::INT16: return static_cast<std::uint16_t>(value.getInt16());
    case Value::INT32: return static_cast<std::uint32_t>(value.getInt32());
    case Value::INT64: return static_cast<std::uint64_t>(value.getInt64());
    case Value::UINT8: return value.getUint8();
    case Value::UINT16: return value.getUint16();
    case Value::UINT32: return value.getUint32();
    case Value::UINT64: return value.getUint64();
    case Value::FLOAT32: return std::bit_cast<std::uint32_t>(value.getFloat32());
    case Value::FLOAT64: return std::bit_cast<std::uint64_t>(value.getFloat64());
    case Value::ENUM: return value.getEnum();
    default: return 0;
  }
}

}  // namespace troupe::codec
