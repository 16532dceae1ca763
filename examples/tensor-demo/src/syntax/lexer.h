// Source text to tokens.
#pragma once

#include "syntax/token.h"

#include <vector>

namespace loom {

/// Every token of the text, the last one End; comments run from `#` to the end of the line.
std::vector<Token> tokenize(std::string_view text);

} // namespace loom
