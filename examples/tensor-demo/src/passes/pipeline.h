// Named passes, put in order by text.
#pragma once

#include "passes/pass_manager.h"

#include <string_view>

namespace loom {

/// Every pass, in the order of the default pipeline.
std::vector<Pass> allPasses();

/// A manager with the passes of a list such as `inline-calls,eliminate-dead`; `default` means all of them.
///
/// Throws std::invalid_argument for a pass that does not exist.
PassManager parsePipeline(std::string_view text);

} // namespace loom
