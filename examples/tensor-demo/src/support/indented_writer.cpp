#include "support/indented_writer.h"

namespace loom {

void IndentedWriter::line(const std::string &text) {
  if (!text.empty())
    out_ << std::string(2 * depth_, ' ') << text;
  out_ << '\n';
}

} // namespace loom
