#include "bench/policies/own_policy.h"

#include "core/status.h"
#include "scheduler/admission.h"

namespace xcloud {
namespace {

// As model.toml of the null models says; admission refuses long before it is full.
constexpr std::size_t kQueueCapacity = 1024;

class SimScheduled final : public ScheduledRequest {
 public:
  explicit SimScheduled(const SimRequest& sim) : id(sim.id) {
    arrival = sim.arrival;
    deadline = Deadline::At(sim.deadline);
  }
  bool Cancelled() const override { return false; }
  void Refuse(std::size_t, std::size_t, Status) override {}

  const std::uint32_t id;
};

std::uint32_t IdOf(const Waiting& waiting) {
  return static_cast<const SimScheduled&>(*waiting.part.request).id;
}

}  // namespace

OwnPolicy::OwnPolicy(const Scenario& scenario, bool defer)
    : lanes_(scenario.lanes), expected_(scenario.lanes) {
  for (std::size_t lane = 0; lane < lanes_.size(); ++lane) lanes_[lane].device = lane;
  BatchLimits limits;
  limits.max_batch = scenario.max_batch;
  limits.queue_capacity = kQueueCapacity;
  limits.latency_goal = FromMilliseconds(scenario.slo_ms);
  limits.defer = defer;
  for (std::size_t m = 0; m < scenario.models; ++m) {
    models_.push_back(std::make_unique<Model>(kQueueCapacity, scenario.lanes));
    Model& model = *models_.back();
    for (std::size_t lane = 0; lane < scenario.lanes; ++lane) {
      // The sizes that warm-up runs: powers of two, and the largest.
      for (std::size_t items = 1; items < scenario.max_batch; items *= 2) {
        model.profile.Learn(lane, items, scenario.times.Of(items));
      }
      model.profile.Learn(lane, scenario.max_batch, scenario.times.Of(scenario.max_batch));
    }
    QueueView view;
    view.waiting = &model.queue;
    view.profile = &model.profile;
    view.limits = limits;
    views_.push_back(view);
  }
}

bool OwnPolicy::Admit(const SimRequest& request, TimePoint now) {
  Model& model = *models_[request.model];
  QueueView& view = views_[request.model];
  AdmitQuery asked;
  asked.deadline = Deadline::At(request.deadline);
  const double unknown_rate = 0;  // only Retry-After needs it
  const bool may_probe = MayProbe(model.queue, model.running, model.last_finish, now);
  const AdmissionQuery query{view, lanes_, views_, unknown_rate, asked, now, may_probe};
  if (CheckAdmission(query)) return false;
  if (model.queue.empty() && model.running == 0) fair_share_.Join(view);
  ScheduledRequestPtr scheduled = std::make_shared<SimScheduled>(request);
  const bool taken = model.queue.TryPush(scheduled, now, view.limits.patience, IsProbe(query));
  XC_CHECK(taken);
  return true;
}

SimAct OwnPolicy::Decide(TimePoint now) {
  const PolicyDecision decision =
      xcloud::Decide({views_, lanes_, now, /*draining=*/false, passed_over_});
  passed_over_ = decision.passed_over;
  SimAct act;
  act.look_again = decision.look_again;
  for (const PolicyRefusal& refusal : decision.refusals) {
    act.dropped.push_back(IdOf(models_[refusal.queue]->queue.Take(refusal.key)));
  }
  if (decision.start) act.start = Close(*decision.start, now);
  return act;
}

SimStart OwnPolicy::Close(const PolicyStart& start, TimePoint now) {
  Model& model = *models_[start.queue];
  QueueView& view = views_[start.queue];
  SimStart out;
  out.lane = start.lane;
  out.model = static_cast<std::uint32_t>(start.queue);
  out.run_items = start.run_items;
  for (const PolicyTake& take : start.takes) out.ids.push_back(IdOf(model.queue.Take(take.key)));
  ++model.running;
  view.last_served = ++starts_;
  expected_[start.lane] = start.finish - now;
  fair_share_.Start(view, expected_[start.lane]);
  lanes_[start.lane].running = 1;
  lanes_[start.lane].free_at = start.finish;
  return out;
}

void OwnPolicy::Finished(const SimStart& batch, Duration elapsed, TimePoint now) {
  Model& model = *models_[batch.model];
  model.profile.Learn(batch.lane, batch.run_items, elapsed);
  --model.running;
  model.last_finish = now;
  FairShare::Finish(views_[batch.model], expected_[batch.lane], elapsed);
  lanes_[batch.lane].running = 0;
}

}  // namespace xcloud
