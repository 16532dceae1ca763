#include "tally/TallyOps.h"

#include "tally/TallyDialect.h"

#include <algorithm>

#define GET_OP_CLASSES
#include "tally/TallyOps.cpp.inc"

using namespace mlir;
using namespace tally;

namespace {

/// The attribute of a known operand, or null.
IntegerAttr known(Attribute operand) { return llvm::dyn_cast_if_present<IntegerAttr>(operand); }

IntegerAttr count(MLIRContext *context, int64_t value) {
  return IntegerAttr::get(IntegerType::get(context, 64), value);
}

/// Counts wrap around, as arith's do.
int64_t wrap(uint64_t value) { return static_cast<int64_t>(value); }

} // namespace

OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValueAttr(); }

OpFoldResult AddOp::fold(FoldAdaptor adaptor) {
  const IntegerAttr lhs = known(adaptor.getLhs());
  const IntegerAttr rhs = known(adaptor.getRhs());
  if (lhs && rhs)
    return count(getContext(), wrap(uint64_t(lhs.getInt()) + uint64_t(rhs.getInt())));
  // Constants stand on the right of a commutative operation.
  if (rhs && rhs.getInt() == 0)
    return getLhs();
  return {};
}

OpFoldResult RepeatOp::fold(FoldAdaptor adaptor) {
  if (getTimes() == 0)
    return count(getContext(), 0);
  if (getTimes() == 1)
    return getCount();
  if (const IntegerAttr value = known(adaptor.getCount()))
    return count(getContext(), wrap(uint64_t(value.getInt()) * getTimes()));
  return {};
}

LogicalResult RepeatOp::verify() {
  if (getTimesAttr().getInt() < 0)
    return emitOpError("cannot repeat a count ") << getTimesAttr().getInt() << " times";
  return success();
}

OpFoldResult LargerOp::fold(FoldAdaptor adaptor) {
  if (getLhs() == getRhs())
    return getLhs();
  const IntegerAttr lhs = known(adaptor.getLhs());
  const IntegerAttr rhs = known(adaptor.getRhs());
  if (lhs && rhs)
    return count(getContext(), std::max(lhs.getInt(), rhs.getInt()));
  return {};
}
