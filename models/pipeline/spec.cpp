#include "models/pipeline/spec.h"

#include <cstdint>

#include "core/option_table.h"
#include "models/model_definition.h"

namespace xcloud {
namespace {

constexpr std::int64_t kMaxEntries = 1'000'000;

struct PipelineKeys {
  std::string kind;
  std::string embedding;
  std::string state;
  std::int64_t max_entries = 100'000;
  double min_face = 20;
  std::string features = "var/zhihu/lives.csv";
  std::string scaler;
};

void VisitPipeline(OptionVisitor& v, PipelineKeys& c) {
  v.Text({"kind", "which of the services of several stages this is; backend pipeline needs it", ""},
         c.kind, {"", "facesearch", "faces", "fbp", "cbir", "zhihuliveeval"});
  v.Text({"embedding",
          "model whose values a gallery holds; empty = face_embedding of faces, image_embedding of "
          "photos",
          "a gallery that was made by another one is refused, not mixed"},
         c.embedding, {});
  v.Text({"state", "file that keeps the gallery; empty = var/galleries/NAME.index",
          "one process at a time"},
         c.state, {});
  v.Integer({"max_entries", "of the gallery; one more is refused", "memory: 4 bytes a value"},
            c.max_entries, 1, kMaxEntries);
  v.Number({"min_face", "pixels of the photo; smaller faces are not looked for",
            "smaller finds less that is one, and more that is none"},
           c.min_face, 12, 1000);
  v.Text({"features", "CSV of the rows that zhihuliveeval answers about, by id", ""}, c.features,
         {});
  v.Text({"scaler", "CSV of each feature's least and most; empty = those of the rows themselves",
          "scores are right only with the values that the network was trained with"},
         c.scaler, {});
}

}  // namespace

void ReadPipelineSection(TomlReader& root, const std::string& file, ModelDefinition& model,
                         std::vector<std::string>& errors) {
  const toml::table* const table = root.Section("pipeline");
  if (table == nullptr) {
    if (model.is_pipeline()) root.Fail("pipeline", "backend = \"pipeline\" needs this table");
    return;
  }
  if (!model.is_pipeline()) root.Fail("pipeline", "only with backend = \"pipeline\"");
  PipelineKeys keys;
  TomlReader reader(*table, file, "pipeline", errors);
  VisitPipeline(reader, keys);
  if (keys.kind.empty()) reader.Fail("kind", "must be given");
  if (!keys.embedding.empty() && !IsModelName(keys.embedding)) {
    reader.Fail("embedding", "must be the name of a model's folder");
  }
  reader.Finish();
  PipelineSpec& spec = model.pipeline;
  spec.kind = keys.kind;
  spec.embedding = keys.embedding;
  spec.state = keys.state.empty() ? "var/galleries/" + model.name + ".index" : keys.state;
  spec.max_entries = static_cast<std::size_t>(keys.max_entries);
  spec.min_face = keys.min_face;
  spec.features = keys.features;
  spec.scaler = keys.scaler;
}

void AppendPipelineTable(std::string& out) {
  AppendOptionTable(out, "[pipeline]", VisitPipeline);
}

}  // namespace xcloud
