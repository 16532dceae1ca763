// A program: functions that may call the ones before them.
#pragma once

#include "ir/function.h"

#include <string_view>

namespace loom {

class Module {
public:
  /// Adds an empty function; throws std::invalid_argument when the name is taken.
  Function &add(std::string name, TensorType resultType);

  /// The function of that name, or null.
  Function *find(std::string_view name) const;

  const std::vector<std::unique_ptr<Function>> &functions() const { return functions_; }

private:
  std::vector<std::unique_ptr<Function>> functions_;
};

} // namespace loom
