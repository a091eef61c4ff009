#include "emit.hpp"
#include "fingerprint.hpp"
#include "names.hpp"
#include "text.hpp"

namespace troupe::codec {

namespace {

std::string number(std::uint64_t n) {
  return std::to_string(n);
}
std::string bits(const Field& f) {
  return f.default_bits == 0 ? "" : ", " + number(f.default_bits) + "u";
}
bool is_left_out_when_empty(const Field& f) {
  const bool is_plain_struct = f.type.kind == Kind::structure && !f.type.is_shared;
  return !is_plain_struct && f.type.kind != Kind::ref && f.default_text.empty();
}

/// Prints, for each field, what a struct's three functions do about it.
class LayoutEmitter {
 public:
  explicit LayoutEmitter(const Struct& s, Text& t) : s_(s), t_(t) {}

  void emit() {
    const std::string type = "Layout<" + s_.full_name + ">";
    t_.open("std::size_t " + type + "::extra_words([[maybe_unused]] const " + s_.full_name +
            "& m) {");
    t_.line("std::size_t words = 0;");
    group(s_.body, "m", &LayoutEmitter::extra_words_of);
    t_.line("return words;");
    t_.close("}");
    t_.open("Word* " + type + "::write([[maybe_unused]] const " + s_.full_name +
            "& m, [[maybe_unused]] Word* at, Word* free) {");
    group(s_.body, "m", &LayoutEmitter::write);
    t_.line("return free;");
    t_.close("}");
    t_.open("void " + type + "::read([[maybe_unused]] " + s_.full_name +
            "& m, [[maybe_unused]] const Body& body) {");
    read_group(s_.body, "m");
    t_.close("}");
  }

 private:
  using PerField = void (LayoutEmitter::*)(const Field&, const std::string& value);

  void group(const Group& g, const std::string& value, PerField each) {
    for (const Field& f : g.fields) field(f, value + "." + f.name, each);
    if (g.alternatives.empty()) return;
    t_.open("switch (" + value + ".which.index()) {");
    std::size_t index = 0;
    for (const Alternative& a : g.alternatives) {
      t_.open("case " + number(index) + ": {");
      if (each == &LayoutEmitter::write)
        t_.line("put<std::uint16_t>(at, " + number(g.discriminant_offset) + ", " +
                number(a.discriminant) + ");");
      if (!a.is_empty()) {
        t_.line("[[maybe_unused]] const auto& a" + number(depth_) + " = std::get<" + number(index) +
                ">(" + value + ".which);");
        const std::string alternative = "a" + number(depth_++);
        a.field.group != nullptr ? group(*a.field.group, alternative, each)
                                 : field(a.field, alternative + ".value", each);
        --depth_;
      }
      t_.line("break;");
      t_.close("}");
      ++index;
    }
    t_.line("default: throw_valueless(" + quoted(s_.schema_name) + ");");
    t_.close("}");
  }

  void field(const Field& f, const std::string& value, PerField each) {
    if (f.group != nullptr) {
      group(*f.group, value, each);
    } else if (f.type.kind != Kind::nothing) {
      (this->*each)(f, value);
    }
  }

  void extra_words_of(const Field& f, const std::string& value) {
    if (!f.type.is_pointer()) return;
    if (f.is_optional) {
      t_.line("if (" + value + ") words += words_of(*" + value + ");");
    } else if (is_left_out_when_empty(f)) {
      t_.line("if (!" + value + ".empty()) words += words_of(" + value + ");");
    } else {
      t_.line("words += words_of(" + value + ");");
    }
  }

  void write(const Field& f, const std::string& value) {
    if (!f.type.is_pointer()) {
      const char* verb = f.type.kind == Kind::boolean ? "put_bit(" : "put<";
      const std::string type = f.type.kind == Kind::boolean ? "" : f.type.cpp() + ">(";
      t_.line(verb + type + "at, " + number(f.offset) + ", " + value + bits(f) + ");");
      return;
    }
    const std::string pointer = "at + " + number(s_.data_words + f.offset);
    const std::string put = "free = put_pointer(" + pointer + ", free, ";
    if (f.is_optional) {
      t_.line("if (" + value + ") " + put + "*" + value + ");");
    } else if (is_left_out_when_empty(f)) {
      t_.line("if (!" + value + ".empty()) " + put + value + ");");
    } else {
      t_.line(put + value + ");");
    }
  }

  void read_group(const Group& g, const std::string& value) {
    for (const Field& f : g.fields) read_field(f, value + "." + f.name);
    if (g.alternatives.empty()) return;
    const std::string which = "body.get<std::uint16_t>(" + number(g.discriminant_offset) + ")";
    t_.open("switch (" + which + ") {");
    std::size_t index = 0;
    for (const Alternative& a : g.alternatives) {
      t_.open("case " + number(a.discriminant) + ": {");
      const std::string emplace = value + ".which.emplace<" + number(index++) + ">()";
      if (a.is_empty()) {
        t_.line(emplace + ";");
      } else {
        const std::string alternative = "a" + number(depth_++);
        t_.line("auto& " + alternative + " = " + emplace + ";");
        a.field.group != nullptr ? read_group(*a.field.group, alternative)
                                 : read_field(a.field, alternative + ".value");
        --depth_;
      }
      t_.line("break;");
      t_.close("}");
    }
    t_.line("default: throw_unknown_alternative(" + quoted(s_.schema_name) + ", " + which + ");");
    t_.close("}");
  }

  void read_field(const Field& f, const std::string& value) {
    if (f.group != nullptr) return read_group(*f.group, value);
    if (f.type.kind == Kind::nothing) return;
    if (f.type.kind == Kind::boolean) {
      t_.line(value + " = body.get_bit(" + number(f.offset) + bits(f) + ");");
    } else if (!f.type.is_pointer()) {
      t_.line(value + " = body.get<" + f.type.cpp() + ">(" + number(f.offset) + bits(f) + ");");
    } else {
      t_.line("read_pointer(body.pointer(" + number(f.offset) + "), " + value + ");");
    }
  }

  const Struct& s_;
  Text& t_;
  std::size_t depth_ = 0;
};

/// Prints the functions that print.
class PrintEmitter {
 public:
  explicit PrintEmitter(Text& t) : t_(t) {}

  void structure(const Struct& s) {
    t_.open("std::string to_string([[maybe_unused]] const " + s.full_name + "& m) {");
    t_.line("troupe::codec::Print print{" + quoted(s.name) + "};");
    group(s.body, "m");
    t_.line("return print.end();");
    t_.close("}");
  }
  void enumeration(const Enum& e) {
    t_.open("std::string to_string(" + e.full_name + " value) {");
    t_.open("switch (value) {");
    for (const Enum::Value& v : e.values)
      t_.line("case " + e.full_name + "::" + v.name + ": return " + quoted(v.name) + ";");
    t_.close("}");
    t_.line("return std::to_string(static_cast<unsigned>(value));  // of a newer schema");
    t_.close("}");
  }

 private:
  void group(const Group& g, const std::string& value) {
    for (const Field& f : g.fields) field(f, f.name, value + "." + f.name);
    if (g.alternatives.empty()) return;
    t_.open("switch (" + value + ".which.index()) {");
    std::size_t index = 0;
    for (const Alternative& a : g.alternatives) {
      t_.open("case " + number(index) + ": {");
      if (a.is_empty()) {
        t_.line("print.field(\"which\", " + quoted(a.type_name) + ");");
      } else {
        const std::string alternative = "a" + number(depth_++);
        t_.line("[[maybe_unused]] const auto& " + alternative + " = std::get<" + number(index) +
                ">(" + value + ".which);");
        if (a.field.group != nullptr) {
          t_.line("print.open(\"which\", " + quoted(a.type_name) + ");");
          group(*a.field.group, alternative);
          t_.line("print.close();");
        } else {
          field(a.field, "which", alternative + ".value");
        }
        --depth_;
      }
      t_.line("break;");
      t_.close("}");
      ++index;
    }
    t_.line("default: break;");
    t_.close("}");
  }
  void field(const Field& f, const std::string& name, const std::string& value) {
    if (f.group != nullptr) {
      t_.line("print.open(" + quoted(name) + ", \"\");");
      group(*f.group, value);
      t_.line("print.close();");
    } else if (f.type.kind != Kind::nothing) {
      t_.line("print.field(" + quoted(name) + ", " + value + ");");
    }
  }

  Text& t_;
  std::size_t depth_ = 0;
};

template <class Each>
void each_struct(const Model& model, const Each& each) {
  for (const std::uint64_t id : model.order) {
    const Struct* s = model.structure(id);
    if (s != nullptr && !s->is_protocol) each(*s);
  }
}
template <class Each>
void each_enum(const Model& model, const Each& each) {
  for (const std::uint64_t id : model.order) {
    if (const Enum* e = model.enumeration(id)) each(*e);
  }
}

std::string first_line(const Model& model) {
  return "// Generated by capnpc-troupe from " + model.file + ": change that, not this.";
}

}  // namespace

std::string emit_codec_header(const Model& model) {
  Text t;
  t.line(first_line(model));
  t.line("#pragma once");
  t.line();
  t.line(std::string{"#include <troupe/codec/"} + (model.has_refs ? "ref" : "layout") + ".hpp>");
  t.line();
  t.line("#include \"" + model.file + ".hpp\"");
  t.line();
  t.line("namespace troupe::codec {");
  t.line();
  each_struct(model, [&](const Struct& s) {
    t.line("template <>");
    t.open("struct Layout<" + s.full_name + "> {");
    t.line("static constexpr std::uint32_t data_words = " + number(s.data_words) + ";");
    t.line("static constexpr std::uint32_t pointers = " + number(s.pointers) + ";");
    t.line("static std::size_t extra_words(const " + s.full_name + "& m);");
    t.line("static Word* write(const " + s.full_name + "& m, Word* at, Word* free);");
    t.line("static void read(" + s.full_name + "& m, const Body& body);");
    t.close("};");
    t.line();
  });
  t.line("}  // namespace troupe::codec");
  return t.str();
}

std::string emit_codec(const Model& model) {
  Text t;
  t.line(first_line(model));
  t.line("#include \"" + model.file + ".codec.hpp\"");
  t.line();
  t.line("#include <troupe/codec/print.hpp>");
  for (const std::string& i : model.imports)
    t.line("#include \"" + import_path(model, i, ".codec.hpp") + "\"");
  t.line();
  t.line("namespace troupe::codec {");
  t.line();
  each_struct(model, [&](const Struct& s) {
    LayoutEmitter{s, t}.emit();
    t.line();
  });
  t.line("}  // namespace troupe::codec");
  t.line();
  t.line("namespace " + model.cpp_namespace + " {");
  t.line();
  each_struct(model, [&](const Struct& s) {
    t.line("const troupe::codec::Codec " + without_namespace(s.full_name) +
           "::troupe_codec = troupe::codec::struct_codec<" + s.full_name + ">(" +
           quoted(model.cpp_namespace + "::" + s.schema_name) + ", " +
           hexadecimal(fingerprint_of(model, s)) + ");");
    if (s.has_plain_reply)
      t.line("const troupe::codec::Codec " + without_namespace(s.full_name) +
             "::troupe_reply_codec = troupe::codec::reply_codec<" + s.reply + ">(" +
             quoted(s.reply) + ");");
  });
  t.line();
  each_enum(model, [&](const Enum& e) {
    PrintEmitter{t}.enumeration(e);
    t.line();
  });
  each_struct(model, [&](const Struct& s) {
    PrintEmitter{t}.structure(s);
    t.line();
  });
  t.line("}  // namespace " + model.cpp_namespace);
  return t.str();
}

}  // namespace troupe::codec
