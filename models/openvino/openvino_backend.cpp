#include "models/openvino/openvino_backend.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <optional>
#include <sstream>
#include <string>
#include <utility>

#include <openvino/runtime/core.hpp>
#include <openvino/runtime/properties.hpp>

#include "core/log.h"
#include "models/shown_file.h"
#include "models/stage_rows.h"

namespace xcloud {
namespace {

// TBB loads hwloc with RTLD_DEEPBIND. hwloc then frees with glibc's free what was allocated by
// jemalloc, which the program is linked with: an abort at the first model. This variable, meant for
// sanitizers, leaves the flag out. Set before main, while there is one thread.
[[maybe_unused]] const bool kNoDeepBinding = setenv("TBB_ENABLE_SANITIZERS", "1", 0) == 0;

// One for the process, never destroyed: the plug-ins must outlive every model.
ov::Core& SharedCore() {
  static auto* const core = new ov::Core();
  return *core;
}

// The line of OpenVINO's report that says why: it begins with where in OpenVINO, and which check.
std::string Reason(const std::exception& error) {
  std::istringstream lines(error.what());
  std::string reason;
  for (std::string line; std::getline(lines, line);) {
    const bool where = line.rfind("Exception from ", 0) == 0 || line.rfind("Check '", 0) == 0;
    if (!line.empty() && !where) {
      reason = line;
      break;
    }
  }
  constexpr std::size_t kLongest = 300;
  reason.erase(std::min(kLongest, reason.size()));
  return reason.empty() ? "no reason given" : reason;
}

std::string Text(const ov::PartialShape& shape) {
  std::ostringstream text;
  text << shape;
  return text.str();
}

ov::Shape RowsShape(const ModelDefinition& model, std::size_t items) {
  ov::Shape shape;
  for (const std::int64_t size : BatchShape(model, items)) {
    shape.push_back(static_cast<std::size_t>(size));
  }
  return shape;
}

// What a network's output must be.
struct Wanted {
  std::size_t scores = 0;  // of an item
  bool any_shape = false;  // a row may have more than one dimension

  explicit Wanted(const ModelDefinition& model)
      : scores(model.score_count()), any_shape(model.values_output.has_value()) {}

  // Empty when it fits.
  std::string WhyNot(const ov::Tensor& output, std::size_t rows) const {
    const ov::Shape& shape = output.get_shape();
    const bool fits = !shape.empty() && shape.front() == rows &&
                      output.get_size() == rows * scores && (any_shape || shape.size() == 2);
    if (!fits) {
      return "its output for " + std::to_string(rows) + " items is " + Text(shape) +
             (any_shape ? "; [output] declares [" : "; the labels need [") + std::to_string(rows) +
             "," + std::to_string(scores) + "]";
    }
    if (output.get_element_type() == ov::element::f32) return {};
    return "its output holds " + output.get_element_type().get_type_name() + "; it must hold f32";
  }
};

// A compiled graph and the request that runs it: of one lane.
struct Graph {
  ov::CompiledModel compiled;
  ov::InferRequest request;

  // These throw what OpenVINO throws. The output is valid until the next run.
  Graph(const std::shared_ptr<const ov::Model>& model, std::size_t threads)
      : compiled(SharedCore().compile_model(
            model, "CPU", ov::num_streams(1), ov::inference_num_threads(static_cast<int>(threads)),
            ov::hint::inference_precision(ov::element::f32), ov::hint::enable_cpu_pinning(false))),
        request(compiled.create_infer_request()) {}

  ov::Tensor Run(const ov::Tensor& input) {
    request.set_input_tensor(input);
    request.infer();
    return request.get_output_tensor();
  }
};

// The file, read and given the shapes that its networks run.
struct Shapes {
  std::shared_ptr<ov::Model> single;   // of one item
  std::shared_ptr<ov::Model> dynamic;  // of any number; null where every batch runs item by item
};

class OpenVinoNetwork final : public Network {
 public:
  OpenVinoNetwork(const ModelDefinition& model, const Shapes& shapes, std::size_t threads)
      : model_(model), wanted_(model), single_(shapes.single, threads) {
    if (shapes.dynamic != nullptr) dynamic_.emplace(shapes.dynamic, threads);
    const std::size_t max_batch = std::max<std::size_t>(model.batching.max_batch, 1);
    rows_ = ov::Tensor(ov::element::f32, RowsShape(model, max_batch));
    for (std::size_t n = 1; n <= max_batch; ++n) {
      batches_.emplace_back(ov::element::f32, RowsShape(model, n), rows_.data<float>());
      items_.emplace_back(ov::element::f32, RowsShape(model, 1),
                          rows_.data<float>() + (n - 1) * model.item_values());
    }
  }

  std::size_t output_size() const override { return wanted_.scores; }

  Status Stage(std::size_t slot, std::span<const NetworkItem> items,
               std::size_t run_items) override {
    XC_CHECK(slot == 0);  // CPU lanes hold one batch
    XC_CHECK(run_items <= batches_.size());
    StageRows(model_, items, run_items, rows_.data<float>());
    real_items_ = items.size();
    run_items_ = run_items;
    return Status::Ok();
  }

  Status Collect(std::size_t, float* scores) override {
    const std::string wrong = Guarded(scores);
    if (wrong.empty()) return Status::Ok();
    spdlog::error("model '{}': a batch of {} failed on OpenVINO: {}", model_.name, run_items_,
                  wrong);
    return Status::Internal("model '" + model_.name + "' failed on this batch");
  }

  // Runs what is staged; empty, or what went wrong.
  std::string Guarded(float* scores) {
    try {
      return RunStaged(scores);
    } catch (const std::exception& error) {
      return Reason(error);
    }
  }

 private:
  std::string RunStaged(float* scores) {
    if (dynamic_ && run_items_ > 1) {
      return Take(dynamic_->Run(batches_[run_items_ - 1]), run_items_, real_items_, scores);
    }
    // Padding need not run: it is never seen.
    for (std::size_t i = 0; i < real_items_; ++i) {
      std::string wrong = Take(single_.Run(items_[i]), 1, 1, scores + i * wanted_.scores);
      if (!wrong.empty()) return wrong;
    }
    return {};
  }

  std::string Take(const ov::Tensor& output, std::size_t rows, std::size_t real,
                   float* scores) const {
    if (std::string wrong = wanted_.WhyNot(output, rows); !wrong.empty()) return wrong;
    std::memcpy(scores, std::as_const(output).data<float>(), real * wanted_.scores * sizeof(float));
    return {};
  }

  const ModelDefinition model_;
  const Wanted wanted_;
  Graph single_;
  std::optional<Graph> dynamic_;
  ov::Tensor rows_;                  // max_batch items
  std::vector<ov::Tensor> batches_;  // batches_[n - 1]: the first n of them
  std::vector<ov::Tensor> items_;    // items_[i]: item i alone
  std::size_t real_items_ = 0;       // staged
  std::size_t run_items_ = 0;
};

// Empty, or why this is not a network of one input and one output.
std::string CheckSignature(const ov::Model& model) {
  if (model.inputs().size() != 1 || model.outputs().size() != 1) {
    return "it has " + std::to_string(model.inputs().size()) + " inputs and " +
           std::to_string(model.outputs().size()) + " outputs; it must have one of each";
  }
  const ov::element::Type type = model.input().get_element_type();
  if (type != ov::element::f32) {
    return "its input holds " + type.get_type_name() + "; it must hold f32";
  }
  return {};
}

std::shared_ptr<ov::Model> Reshaped(const ov::Model& model, const ov::PartialShape& shape) {
  std::shared_ptr<ov::Model> copy = model.clone();
  copy->reshape(shape);
  return copy;
}

// Throws what OpenVINO throws where the file does not take the declared shape.
Shapes ShapeFor(const ov::Model& read, const ModelDefinition& model, std::size_t threads,
                const std::string& name) {
  Shapes shapes;
  shapes.single = Reshaped(read, ov::PartialShape(RowsShape(model, 1)));
  const bool item_by_item = threads == 1 && model.of_pictures();
  if (item_by_item || model.batching.max_batch <= 1) return shapes;
  try {
    ov::PartialShape any(RowsShape(model, 1));
    any[0] = ov::Dimension::dynamic();
    auto dynamic = Reshaped(read, any);
    const ov::PartialShape& out = dynamic->output().get_partial_shape();
    // A file that was exported for one size often folds it into its graph.
    if (out.rank().is_dynamic() || (out.size() > 0 && out[0].is_dynamic())) {
      shapes.dynamic = std::move(dynamic);
    }
  } catch (const std::exception& error) {
    spdlog::debug("{}: no dynamic batch: {}", name, Reason(error));
  }
  if (shapes.dynamic == nullptr) {
    spdlog::info("{}: its batch is fixed in the file; batches run item by item", name);
  }
  return shapes;
}

// Empty, or why the network does not do what the definition declares.
std::string Probe(OpenVinoNetwork& network, const ModelDefinition& model) {
  const std::size_t count = ProbeItems(model);
  const std::vector<float> rows = ProbeRows(model, count);
  std::vector<NetworkItem> items;
  for (std::size_t i = 0; i < count; ++i) {
    const float* row = rows.data() + i * model.item_values();
    items.push_back({nullptr, nullptr, reinterpret_cast<const char*>(row)});
  }
  std::vector<float> scores(count * network.output_size());
  for (std::size_t n = 1; n <= count; ++n) {
    (void)network.Stage(0, std::span(items).first(n), n);
    if (std::string wrong = network.Guarded(scores.data()); !wrong.empty()) return wrong;
  }
  return {};
}

}  // namespace

Result<std::vector<std::unique_ptr<Network>>> MakeOpenVinoNetworks(
    const ModelDefinition& model, const std::filesystem::path& file, std::size_t lanes,
    std::size_t threads) {
  const std::string name = ShownFile(model, file);
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored)) {
    return Status::InvalidArgument(name + ": no such file");
  }
  std::shared_ptr<ov::Model> read;
  try {
    read = SharedCore().read_model(file.string());
  } catch (const std::exception& error) {
    spdlog::error("{}: {}", file.string(), error.what());
    return Status::InvalidArgument(name +
                                   ": OpenVINO cannot read it as ONNX or IR; the server's log "
                                   "says more");
  }
  try {
    std::string wrong = CheckSignature(*read);
    if (!wrong.empty()) return Status::InvalidArgument(name + ": " + wrong);
    const Shapes shapes = ShapeFor(*read, model, threads, name);
    std::vector<std::unique_ptr<Network>> networks;
    for (std::size_t i = 0; i < lanes; ++i) {
      auto network = std::make_unique<OpenVinoNetwork>(model, shapes, threads);
      if (i == 0) wrong = Probe(*network, model);
      if (!wrong.empty()) return Status::InvalidArgument(name + ": " + wrong);
      networks.push_back(std::move(network));
    }
    return networks;
  } catch (const std::exception& error) {
    spdlog::error("{}: {}", file.string(), error.what());
    return Status::InvalidArgument(name + ": cannot run the declared input: " + Reason(error));
  }
}

}  // namespace xcloud
