#include "ir/module.h"

#include <stdexcept>
#include <utility>

namespace loom {

Function &Module::add(std::string name, TensorType resultType) {
  if (find(name))
    throw std::invalid_argument("function " + name + " is defined twice");
  functions_.push_back(std::make_unique<Function>(std::move(name), std::move(resultType)));
  return *functions_.back();
}

Function *Module::find(std::string_view name) const {
  for (const auto &function : functions_)
    if (function->name() == name)
      return function.get();
  return nullptr;
}

} // namespace loom
