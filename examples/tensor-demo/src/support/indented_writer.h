// Lines of text with nesting.
#pragma once

#include <ostream>
#include <string>

namespace loom {

/// Writes whole lines, indented by two spaces for each open scope.
class IndentedWriter {
public:
  explicit IndentedWriter(std::ostream &out) : out_(out) {}

  /// Keeps the lines written during its lifetime one level deeper.
  class Scope {
  public:
    explicit Scope(IndentedWriter &writer) : writer_(writer) { ++writer_.depth_; }
    ~Scope() { --writer_.depth_; }
    Scope(const Scope &) = delete;
    Scope &operator=(const Scope &) = delete;

  private:
    IndentedWriter &writer_;
  };

  void line(const std::string &text);

private:
  std::ostream &out_;
  unsigned depth_ = 0;
};

} // namespace loom
