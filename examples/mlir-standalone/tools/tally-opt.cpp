// tally-opt: mlir-opt for the tally dialect and what it lowers to.
#include "tally/TallyDialect.h"
#include "tally/TallyPasses.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  registry.insert<tally::TallyDialect, mlir::arith::ArithDialect, mlir::func::FuncDialect>();
  tally::registerTallyPasses();
  mlir::registerCanonicalizerPass();
  mlir::registerCSEPass();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "tally optimizer driver\n", registry));
}
