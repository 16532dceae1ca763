// What the compiler has to say about a program.
#pragma once

#include "support/source.h"

#include <string>
#include <vector>

namespace loom {

enum class Severity { Warning, Error };

struct Diagnostic {
  Severity severity;
  Location location;
  std::string message;
};

/// Collects diagnostics about one source file, in the order in which they were found.
class Diagnostics {
public:
  explicit Diagnostics(const SourceFile &source) : source_(source) {}

  void error(Location location, std::string message);
  void warning(Location location, std::string message);

  bool hasErrors() const;
  const std::vector<Diagnostic> &all() const { return all_; }

  /// Prints every diagnostic with its source line and a caret under the column.
  void print(std::ostream &out) const;

private:
  const SourceFile &source_;
  std::vector<Diagnostic> all_;
};

} // namespace loom
