#include "support/source.h"

#include <fstream>
#include <ostream>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace loom {

std::ostream &operator<<(std::ostream &out, Location location) {
  return out << location.line << ':' << location.column;
}

SourceFile::SourceFile(std::string name, std::string text) : name_(std::move(name)), text_(std::move(text)) {}

SourceFile SourceFile::read(const std::string &path) {
  std::ifstream file(path);
  if (!file)
    throw std::runtime_error("cannot read " + path);
  std::ostringstream text;
  text << file.rdbuf();
  return SourceFile(path, text.str());
}

std::string_view SourceFile::line(std::uint32_t number) const {
  std::string_view rest = text_;
  for (std::uint32_t current = 1; !rest.empty(); ++current) {
    const std::size_t end = rest.find('\n');
    if (current == number)
      return rest.substr(0, end);
    if (end == std::string_view::npos)
      break;
    rest.remove_prefix(end + 1);
  }
  return {};
}

} // namespace loom
