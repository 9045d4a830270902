// ZhihuLiveEval: the rating that MTNet (zhihu_mtnet) gives a Zhihu Live, which the caller names by
// its id; its 23 numbers come from a file of imported Lives.
//
// data is {"id","score","scaling"}; scaling says what the numbers were scaled with: "scaler" = the
// file that [pipeline] scaler names, "rows" = the least and greatest of the imported rows, which
// are not those that the network was trained with, so that its scores are only roughly right.
#pragma once

#include <memory>
#include <vector>

#include "models/pipeline/live_table.h"
#include "models/pipeline/pipeline.h"

namespace xcloud {

class ZhihuLiveEval final : public Pipeline {
 public:
  static constexpr const char* kNetwork = "zhihu_mtnet";

  explicit ZhihuLiveEval(const PipelineSpec& spec) : spec_(spec) {}
  std::vector<Stage> stages() const override { return {{kNetwork}}; }
  bool takes_rows() const override { return true; }
  Status Load() override;
  PipelineTask<PipelineAnswer> Run(PipelineRun& run) const override;

 private:
  const PipelineSpec spec_;
  LiveTable lives_;
  LiveScaler scaler_;
};

}  // namespace xcloud
