#include "codegen/fuse_loops.h"

#include <algorithm>
#include <utility>

namespace loom {
namespace {

/// The value with each read of `target` replaced by what is stored there.
Scalar substitute(const Scalar &value, const Access &target, const Scalar &stored) {
  if (const auto *access = std::get_if<Access>(&value.node))
    return *access == target ? stored : value;
  if (const auto *apply = std::get_if<Apply>(&value.node)) {
    Apply result{apply->opcode, {}};
    for (const Scalar &operand : apply->operands)
      result.operands.push_back(substitute(operand, target, stored));
    return Scalar{std::move(result)};
  }
  return value;
}

unsigned countReads(const LoopNest &nest, const std::string &buffer) {
  unsigned count = 0;
  forEachAccess(nest.value, [&](const Access &access) { count += access.buffer == buffer; });
  return count;
}

bool writesOnce(const LoopProgram &program, const std::string &buffer) {
  return 1 == std::count_if(program.nests.begin(), program.nests.end(),
                            [&](const LoopNest &nest) { return nest.target.buffer == buffer; });
}

/// The only nest that reads the buffer, when it may compute the producer's value itself.
LoopNest *findFusibleReader(LoopProgram &program, const LoopNest &producer) {
  LoopNest *reader = nullptr;
  for (LoopNest &nest : program.nests) {
    if (!reads(nest, producer.target.buffer))
      continue;
    if (reader)
      return nullptr;
    reader = &nest;
  }
  if (!reader || reader->extents != producer.extents || countReads(*reader, producer.target.buffer) != 1)
    return nullptr;
  bool sameWalk = true;
  forEachAccess(reader->value, [&](const Access &access) {
    sameWalk = sameWalk && (access.buffer != producer.target.buffer || access == producer.target);
  });
  return sameWalk ? reader : nullptr;
}

/// Fuses one temporary away; false when none is left to fuse.
bool fuseOne(LoopProgram &program) {
  for (auto nest = program.nests.begin(); nest != program.nests.end(); ++nest) {
    const Access target = nest->target;
    if (target.buffer == program.result.name || nest->update != Update::Set || !writesOnce(program, target.buffer))
      continue;
    LoopNest *reader = findFusibleReader(program, *nest);
    if (!reader)
      continue;
    reader->value = substitute(reader->value, target, nest->value);
    program.nests.erase(nest);
    auto &temporaries = program.temporaries;
    temporaries.erase(std::remove_if(temporaries.begin(), temporaries.end(),
                                     [&](const Buffer &buffer) { return buffer.name == target.buffer; }),
                      temporaries.end());
    return true;
  }
  return false;
}

} // namespace

void fuseLoops(LoopProgram &program) {
  while (fuseOne(program)) {
  }
}

} // namespace loom
