#include <gtest/gtest.h>
TEST(Suite, Good) {}
TEST(Suite, Bad) { EXPECT_EQ(1, 2) << "Timeout \x1b[31mred"; EXPECT_EQ(2,3); }
TEST(Suite, Skips) { GTEST_SKIP() << "no GPU"; }
TEST(Suite, DISABLED_Off) {}
class P : public testing::TestWithParam<int> {};
TEST_P(P, Even) { EXPECT_EQ(GetParam() % 2, 0); }
INSTANTIATE_TEST_SUITE_P(All, P, testing::Values(2, 3));
template <class T> class Ty : public testing::Test {};
using Types = testing::Types<int, char>;
TYPED_TEST_SUITE(Ty, Types);
TYPED_TEST(Ty, Size) { EXPECT_GT(sizeof(TypeParam), 1u); }
