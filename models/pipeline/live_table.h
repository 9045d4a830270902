// LiveTable: what is known of Zhihu Lives, by id: the 23 numbers that MTNet rates one from. Read
// from CSV files that an operator puts there; the first XCloud read a database that is gone.
//
// Files are read strictly: a header of the names below in their order, then a line a Live, numbers
// in decimal, no quotes, commas between. Every bad line is named. Bounded: 64 MiB, 1 000 000 rows.
// Thread safety: immutable once read; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/result.h"

namespace xcloud {

inline constexpr std::size_t kLiveFeatures = 23;
// The network's inputs in its order. Words are numbers here: source is 1 for "admin", user_type 0
// for "organization" and else 1, flags are 0 or 1. original_price is in yuan, amount in fen
// (hundredths).
inline constexpr std::array<std::string_view, kLiveFeatures> kLiveFeatureNames = {
    "duration",
    "reply_message_count",
    "source",
    "purchasable",
    "is_refundable",
    "has_authenticated",
    "user_type",
    "gender",
    "badge",
    "speaker_audio_message_count",
    "attachment_count",
    "liked_num",
    "is_commercial",
    "audition_message_count",
    "is_audition_open",
    "seats_taken",
    "seats_max",
    "speaker_message_count",
    "amount",
    "original_price",
    "has_audition",
    "has_feedback",
    "review_count"};

using LiveFeatures = std::array<double, kLiveFeatures>;

// Each feature's least and greatest value: 0 and 1 for the network.
struct LiveScaler {
  LiveFeatures least{};
  LiveFeatures greatest{};

  // A feature that is the same everywhere is 0.
  std::vector<float> Scaled(const LiveFeatures& features) const;
};

class LiveTable {
 public:
  // From the text of a file; `name` goes into the messages. InvalidArgument names every bad line
  // (the first twenty of them, and how many more there are).
  static Result<LiveTable> Parse(std::string_view text, std::string_view name);

  const LiveFeatures* Find(std::string_view id) const;
  std::size_t size() const { return rows_.size(); }
  // Of its own rows. REQUIRES: some.
  LiveScaler OwnScaler() const;

 private:
  std::unordered_map<std::string, LiveFeatures> rows_;
};

// "id,duration,...": the header that a table needs.
std::string LiveHeader();
// A file "feature,least,most" with each feature once, in any order, as models/weights/mtnet has it.
Result<LiveScaler> ParseLiveScaler(std::string_view text, std::string_view name);
// NotFound when there is no such file; InvalidArgument when it cannot be read or is too large.
Result<std::string> ReadCsv(const std::filesystem::path& path);

}  // namespace xcloud
