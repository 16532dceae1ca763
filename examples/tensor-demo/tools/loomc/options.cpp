#include "options.h"

#include <map>
#include <stdexcept>

namespace loom {
namespace {

/// The rest of the argument when it starts with the prefix.
std::optional<std::string> after(const std::string &prefix, const std::string &argument) {
  if (argument.compare(0, prefix.size(), prefix) != 0)
    return std::nullopt;
  return argument.substr(prefix.size());
}

Emit parseEmit(const std::string &text) {
  static const std::map<std::string, Emit> forms = {
      {"ast", Emit::Ast}, {"ir", Emit::Ir}, {"c", Emit::C}, {"dot", Emit::Dot}, {"value", Emit::Value}};
  const auto found = forms.find(text);
  if (found == forms.end())
    throw std::invalid_argument("cannot emit " + text);
  return found->second;
}

} // namespace

Options parseOptions(const std::vector<std::string> &arguments) {
  Options options;
  for (std::size_t index = 0; index < arguments.size(); ++index) {
    const std::string &argument = arguments[index];
    if (const auto form = after("--emit=", argument)) {
      options.emit = parseEmit(*form);
    } else if (const auto passes = after("--passes=", argument)) {
      options.pipeline = *passes;
    } else if (argument == "--stats") {
      options.printsStatistics = true;
    } else if (argument == "-o") {
      if (++index == arguments.size())
        throw std::invalid_argument("-o needs a file");
      options.output = arguments[index];
    } else if (argument.front() == '-') {
      throw std::invalid_argument("unknown option " + argument);
    } else if (!options.input.empty()) {
      throw std::invalid_argument("one program at a time");
    } else {
      options.input = argument;
    }
  }
  if (options.input.empty())
    throw std::invalid_argument("no program given");
  return options;
}

} // namespace loom
