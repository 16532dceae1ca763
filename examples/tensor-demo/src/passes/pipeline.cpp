#include "passes/pipeline.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace loom {
namespace {

Pass findPass(std::string_view name) {
  std::vector<Pass> passes = allPasses();
  const auto found = std::find_if(passes.begin(), passes.end(), [=](const Pass &pass) { return pass.name == name; });
  if (found == passes.end())
    throw std::invalid_argument("there is no pass " + std::string(name));
  return *found;
}

} // namespace

std::vector<Pass> allPasses() {
  return {inlineCalls(),    orderOperands(),  simplifyShapes(),  simplifyArithmetic(),
          foldConstants(), reduceStrength(), eliminateCommon(), eliminateDead()};
}

PassManager parsePipeline(std::string_view text) {
  PassManager manager;
  if (text == "default") {
    for (Pass &pass : allPasses())
      manager.add(std::move(pass));
    return manager;
  }
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    manager.add(findPass(text.substr(0, comma)));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return manager;
}

} // namespace loom
