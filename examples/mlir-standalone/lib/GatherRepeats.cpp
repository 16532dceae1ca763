#include "tally/TallyDialect.h"
#include "tally/TallyOps.h"
#include "tally/TallyPasses.h"

#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace tally {
#define GEN_PASS_DEF_GATHERREPEATS
#include "tally/TallyPasses.h.inc"
} // namespace tally

using namespace mlir;
using namespace tally;

namespace {

#include "tally/TallyRewrites.inc"

/// (x times n) + x = x times (n + 1), which the declarative rewrites cannot say for both orders at once.
struct AddToRepeat : OpRewritePattern<AddOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(AddOp add, PatternRewriter &rewriter) const override {
    for (const auto &[sum, extra] : {std::pair(add.getLhs(), add.getRhs()), std::pair(add.getRhs(), add.getLhs())}) {
      auto repeat = sum.getDefiningOp<RepeatOp>();
      if (!repeat || repeat.getCount() != extra)
        continue;
      const IntegerAttr times = rewriter.getI64IntegerAttr(repeat.getTimesAttr().getInt() + 1);
      rewriter.replaceOpWithNewOp<RepeatOp>(add, add.getType(), extra, times);
      return success();
    }
    return failure();
  }
};

struct GatherRepeats : tally::impl::GatherRepeatsBase<GatherRepeats> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateWithGenerated(patterns);
    patterns.add<AddToRepeat>(&getContext());
    if (failed(applyPatternsAndFoldGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
