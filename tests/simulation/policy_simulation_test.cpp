// Thousands of random scenarios against the invariants in tests/simulation/simulator.h. A failure
// names its seed; XCLOUD_SEED=N replays that one alone.

#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/simulation/simulator.h"

namespace xcloud {
namespace {

constexpr std::uint64_t kFirstSeed = 1;
constexpr std::uint64_t kScenarios = 12'000;

TEST(PolicySimulationTest, InvariantsHoldInRandomScenarios) {
  const char* const asked = std::getenv("XCLOUD_SEED");
  const std::uint64_t first = asked != nullptr ? std::strtoull(asked, nullptr, 10) : kFirstSeed;
  const std::uint64_t count = asked != nullptr ? 1 : kScenarios;
  SimStats total;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    const Scenario scenario = RandomScenario(seed);
    Simulator simulator(scenario);
    const std::optional<std::string> violation = simulator.Run();
    ASSERT_FALSE(violation.has_value()) << *violation << "\nreplay: XCLOUD_SEED=" << seed;
    const SimStats& stats = simulator.stats();
    ASSERT_EQ(stats.answered + stats.refused + stats.turned_away, scenario.arrivals.size());
    total.split += stats.split;
    total.retried += stats.retried;
    total.shed += stats.shed;
    total.poison += stats.poison;
    total.padded += stats.padded;
    total.probes += stats.probes;
    total.answered += stats.answered;
    total.refused += stats.refused;
    total.turned_away += stats.turned_away;
    total.batches += stats.batches;
  }
  RecordProperty("answered", static_cast<int>(total.answered));
  RecordProperty("refused", static_cast<int>(total.refused));
  RecordProperty("turned_away", static_cast<int>(total.turned_away));
  if (asked != nullptr) return;
  // The scenarios are worth their name only while each kind of end is common in them.
  EXPECT_GT(total.answered, kScenarios * 20);
  EXPECT_GT(total.refused, kScenarios * 5);
  EXPECT_GT(total.turned_away, kScenarios * 5);
  EXPECT_GT(total.answered, total.batches);
  EXPECT_GT(total.split, kScenarios);
  EXPECT_GT(total.retried, kScenarios / 2);
  EXPECT_GT(total.shed, kScenarios / 20);
  EXPECT_GT(total.poison, kScenarios / 4);
  EXPECT_GT(total.padded, kScenarios / 20);
  EXPECT_GT(total.probes, kScenarios / 100);
}

TEST(PolicySimulationTest, SameSeedGivesTheSameRun) {
  const Scenario scenario = RandomScenario(7);
  Simulator first(scenario);
  Simulator second(scenario);
  ASSERT_FALSE(first.Run().has_value());
  ASSERT_FALSE(second.Run().has_value());
  EXPECT_EQ(first.stats().latency_ms_sum, second.stats().latency_ms_sum);
  EXPECT_EQ(first.stats().batches, second.stats().batches);
}

}  // namespace
}  // namespace xcloud
