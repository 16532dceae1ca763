// The tally dialect: counting with 64-bit integers.
#ifndef TALLY_DIALECT_H
#define TALLY_DIALECT_H

#include "mlir/IR/Dialect.h"

#include "tally/TallyDialect.h.inc"

#endif // TALLY_DIALECT_H
