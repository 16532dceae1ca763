#include "ir/attribute.h"

#include <ostream>

namespace loom {
namespace {

struct AttributePrinter {
  std::ostream &out;

  void operator()(std::int64_t value) const { out << value; }
  void operator()(double value) const { out << value; }
  void operator()(const std::string &value) const { out << '"' << value << '"'; }
  void operator()(const std::vector<std::int64_t> &values) const {
    const char *separator = "";
    out << '[';
    for (const std::int64_t value : values) {
      out << separator << value;
      separator = ", ";
    }
    out << ']';
  }
};

} // namespace

std::ostream &operator<<(std::ostream &out, const Attributes &attributes) {
  const char *separator = "{";
  for (const auto &[name, attribute] : attributes) {
    out << separator << name << " = ";
    std::visit(AttributePrinter{out}, attribute);
    separator = ", ";
  }
  return out << (attributes.empty() ? "" : "}");
}

} // namespace loom
