// Source text and places in it.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>

namespace loom {

/// A place in a source file; lines and columns count from 1, and 0 means unknown.
struct Location {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

std::ostream &operator<<(std::ostream &out, Location location);

/// A named piece of program text.
class SourceFile {
public:
  SourceFile(std::string name, std::string text);

  /// Reads a whole file; throws std::runtime_error when it cannot be read.
  static SourceFile read(const std::string &path);

  const std::string &name() const { return name_; }
  std::string_view text() const { return text_; }

  /// The text of one line without its newline, empty past the end.
  std::string_view line(std::uint32_t number) const;

private:
  std::string name_;
  std::string text_;
};

} // namespace loom
