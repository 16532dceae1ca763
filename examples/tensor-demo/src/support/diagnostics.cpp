#include "support/diagnostics.h"

#include <algorithm>
#include <ostream>
#include <utility>

namespace loom {

void Diagnostics::error(Location location, std::string message) {
  all_.push_back({Severity::Error, location, std::move(message)});
}

void Diagnostics::warning(Location location, std::string message) {
  all_.push_back({Severity::Warning, location, std::move(message)});
}

bool Diagnostics::hasErrors() const {
  return std::any_of(all_.begin(), all_.end(),
                     [](const Diagnostic &diagnostic) { return diagnostic.severity == Severity::Error; });
}

void Diagnostics::print(std::ostream &out) const {
  for (const Diagnostic &diagnostic : all_) {
    const char *severity = diagnostic.severity == Severity::Error ? "error" : "warning";
    out << source_.name() << ':' << diagnostic.location << ": " << severity << ": " << diagnostic.message << '\n';
    if (diagnostic.location.line == 0)
      continue;
    out << source_.line(diagnostic.location.line) << '\n';
    out << std::string(diagnostic.location.column - 1, ' ') << "^\n";
  }
}

} // namespace loom
