#include "tally/TallyDialect.h"
#include "tally/TallyOps.h"
#include "tally/TallyPasses.h"

#include "mlir/Transforms/DialectConversion.h"

namespace tally {
#define GEN_PASS_DEF_CONVERTTALLYTOARITH
#include "tally/TallyPasses.h.inc"
} // namespace tally

using namespace mlir;
using namespace tally;

namespace {

struct LowerConstant : OpConversionPattern<ConstantOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult matchAndRewrite(ConstantOp constant, OpAdaptor, ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOpWithNewOp<arith::ConstantOp>(constant, constant.getValueAttr());
    return success();
  }
};

/// An operation that arith has under another name.
template <typename From, typename To> struct LowerBinary : OpConversionPattern<From> {
  using OpConversionPattern<From>::OpConversionPattern;

  LogicalResult matchAndRewrite(From op, typename From::Adaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOpWithNewOp<To>(op, adaptor.getLhs(), adaptor.getRhs());
    return success();
  }
};

struct LowerRepeat : OpConversionPattern<RepeatOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult matchAndRewrite(RepeatOp repeat, OpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    Value times = rewriter.create<arith::ConstantOp>(repeat.getLoc(), repeat.getTimesAttr());
    rewriter.replaceOpWithNewOp<arith::MulIOp>(repeat, adaptor.getCount(), times);
    return success();
  }
};

struct ConvertTallyToArith : tally::impl::ConvertTallyToArithBase<ConvertTallyToArith> {
  void runOnOperation() override {
    ConversionTarget target(getContext());
    target.addLegalDialect<arith::ArithDialect>();
    target.addIllegalDialect<TallyDialect>();

    RewritePatternSet patterns(&getContext());
    patterns.add<LowerConstant, LowerRepeat, LowerBinary<AddOp, arith::AddIOp>, LowerBinary<LargerOp, arith::MaxSIOp>>(
        &getContext());
    if (failed(applyPartialConversion(getOperation(), target, std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
