// The command line of loomc.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace loom {

enum class Emit { Ast, Ir, C, Dot, Value };

struct Options {
  std::string input;
  std::string output;             // empty: standard output
  std::string pipeline = "default";
  Emit emit = Emit::Ir;
  bool printsStatistics = false;
};

inline constexpr const char *kUsage =
    "usage: loomc [--emit=ast|ir|c|dot|value] [--passes=default|LIST] [--stats] [-o FILE] PROGRAM.loom\n"
    "  --emit=value   run each function on 1, 2, 3, ... and print its result\n"
    "  --passes=LIST  comma-separated passes, empty for none\n";

/// Throws std::invalid_argument with one sentence when the arguments make no sense.
Options parseOptions(const std::vector<std::string> &arguments);

} // namespace loom
