#include "tally/TallyDialect.h"

#include "tally/TallyOps.h"

#include "tally/TallyDialect.cpp.inc"

using namespace tally;

void TallyDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "tally/TallyOps.cpp.inc"
      >();
}

mlir::Operation *TallyDialect::materializeConstant(mlir::OpBuilder &builder, mlir::Attribute value, mlir::Type type,
                                                   mlir::Location location) {
  const auto count = llvm::dyn_cast<mlir::IntegerAttr>(value);
  if (!count || !type.isInteger(64))
    return nullptr;
  return builder.create<ConstantOp>(location, type, count);
}
