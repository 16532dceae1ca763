#include "codegen/buffer_plan.h"

#include <algorithm>
#include <map>
#include <utility>

namespace loom {
namespace {

struct Lifetime {
  std::size_t first;
  std::size_t last;
};

std::map<std::string, Lifetime> lifetimes(const LoopProgram &program) {
  std::map<std::string, Lifetime> lifetimes;
  for (std::size_t step = 0; step < program.nests.size(); ++step) {
    const auto touch = [&](const std::string &buffer) {
      lifetimes.emplace(buffer, Lifetime{step, step}).first->second.last = step;
    };
    touch(program.nests[step].target.buffer);
    forEachAccess(program.nests[step].value, [&](const Access &access) { touch(access.buffer); });
  }
  return lifetimes;
}

/// A buffer that several temporaries use one after the other.
struct Slot {
  Buffer buffer;
  std::size_t busyUntil;
};

Scalar rename(Scalar value, const std::map<std::string, std::string> &names) {
  if (auto *access = std::get_if<Access>(&value.node)) {
    if (const auto found = names.find(access->buffer); found != names.end())
      access->buffer = found->second;
  } else if (auto *apply = std::get_if<Apply>(&value.node)) {
    for (Scalar &operand : apply->operands)
      operand = rename(std::move(operand), names);
  }
  return value;
}

Index sizeBytes(const TensorType &type) {
  const std::size_t element = dispatch(type.element, [](auto zero) { return sizeof(zero); });
  return type.shape.elementCount() * static_cast<Index>(element);
}

} // namespace

Index shareBuffers(LoopProgram &program) {
  const auto spans = lifetimes(program);
  std::vector<Slot> slots;
  std::map<std::string, std::string> names;
  for (const Buffer &temporary : program.temporaries) {
    const auto span = spans.find(temporary.name);
    if (span == spans.end())
      continue;
    const auto free = std::find_if(slots.begin(), slots.end(), [&](const Slot &slot) {
      return slot.busyUntil < span->second.first && slot.buffer.type.element == temporary.type.element;
    });
    if (free == slots.end()) {
      slots.push_back({temporary, span->second.last});
      continue;
    }
    names[temporary.name] = free->buffer.name;
    free->busyUntil = span->second.last;
    if (free->buffer.type.shape.elementCount() < temporary.type.shape.elementCount())
      free->buffer.type = temporary.type;
  }
  for (LoopNest &nest : program.nests) {
    nest.value = rename(std::move(nest.value), names);
    if (const auto found = names.find(nest.target.buffer); found != names.end())
      nest.target.buffer = found->second;
  }
  program.temporaries.clear();
  Index total = 0;
  for (Slot &slot : slots) {
    total += sizeBytes(slot.buffer.type);
    program.temporaries.push_back(std::move(slot.buffer));
  }
  return total;
}

} // namespace loom
