// DetectFaces: MTCNN over three internal models: mtcnn_pnet looks at a pyramid of the photo,
// mtcnn_rnet at 24 x 24 pieces of what that found, mtcnn_onet at 48 x 48 pieces of what is left.
//
// The models' inputs are (pixel - 127.5) / 128, RGB, channels first. Outputs: P-Net as FaceCanvas;
// R-Net the probabilities of no face and of a face and four corrections; O-Net the same and then
// five points, their five x and then their five y, in parts of the box.
// Candidates are bounded, so a photo costs at most so many pieces whatever is in it.
#pragma once

#include <vector>

#include "core/result.h"
#include "models/pipeline/face/face_boxes.h"
#include "models/pipeline/face/photo_pyramid.h"
#include "models/pipeline/run.h"

namespace xcloud {

inline constexpr const char* kProposalNet = "mtcnn_pnet";
inline constexpr const char* kRefineNet = "mtcnn_rnet";
inline constexpr const char* kOutputNet = "mtcnn_onet";
inline constexpr std::size_t kMaxProposals = 128;  // to R-Net
inline constexpr std::size_t kMaxRefined = 64;     // to O-Net

// A photo ready to be looked at.
struct FacePhoto {
  PhotoPyramid pixels;
  double scale = 1;  // pixels of the caller's photo for one of `pixels`
};

// Decodes the run's photo, at a part of its size where that is plenty. On a pool thread.
Result<FacePhoto> DecodeFacePhoto(PipelineRun& run);

// The faces, the likeliest first, in pixels of photo.pixels. `photo` outlives the task.
PipelineTask<Result<std::vector<Face>>> DetectFaces(PipelineRun& run, const PhotoPyramid& photo,
                                                    double min_face);

// The face that covers most of the photo. REQUIRES: some.
const Face& LargestFace(const std::vector<Face>& faces);

// {"box":[x,y,width,height],"confidence":c,"keypoints":{"left_eye":[x,y],...}}, in whole pixels of
// the caller's photo, in the order of the first XCloud.
AnswerValue::Object DescribeFace(const Face& face, double scale);

}  // namespace xcloud
