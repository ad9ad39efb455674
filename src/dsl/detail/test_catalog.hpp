/// A function catalog for tests: a few names, one of them with parameters.
#pragma once

#include "dsl/compile.hpp"
#include "json/parse.hpp"

namespace pawl::dsl {

class TestCatalog final : public FunctionCatalog {
 public:
  TestCatalog() {
    add("noop", "null");
    add("llm", "null");
    add("http-task", "null");
    add("log",
        R"({"type": "object", "required": ["message"], "properties": {"message": {"type": "string"}, "level": {"type": "string"}}})");
    add("file-organizer",
        R"({"type": "object", "additionalProperties": false, "required": ["target"], "properties": {"target": {"type": "string"},
        "by": {"type": "string", "enum": ["type", "date", "size"]}, "recursive": {"type": "boolean"}, "dry_run": {"type": "boolean"}}})");
  }
  [[nodiscard]] const Signature* find(std::string_view name) const override {
    std::string canonical(name);
    for (char& c : canonical) c = c == '_' ? '-' : c;
    for (const Signature& signature : signatures_) {
      if (signature.name == canonical) return &signature;
    }
    return nullptr;
  }
  [[nodiscard]] std::vector<std::string> names() const override {
    std::vector<std::string> all;
    for (const Signature& signature : signatures_) all.push_back(signature.name);
    return all;
  }

 private:
  void add(std::string name, std::string_view parameters) { signatures_.push_back({std::move(name), json::parse(parameters).value()}); }
  std::vector<Signature> signatures_;
};

}  // namespace pawl::dsl
