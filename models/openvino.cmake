# Finds the OpenVINO runtime inside the PyPI openvino wheel, as models/torch.cmake finds LibTorch.
#
# XCLOUD_OPENVINO  ON, OFF; by default as XCLOUD_TORCH: the sanitizer presets leave both out, since
#                  neither library is instrumented. A tree without the wheel is refused by name.
# Declares xcloud_openvino; sets XCLOUD_HAS_OPENVINO. Only the files that use it get its headers
# (OPENVINO_COMPILE_OPTIONS), searched last: the wheel brings TBB's, which <execution> would find.
set(XCLOUD_OPENVINO_VERSION 2026.4.1)
set(XCLOUD_OPENVINO ${XCLOUD_TORCH} CACHE BOOL "Build the OpenVINO backend")
set(XCLOUD_HAS_OPENVINO OFF)

if(XCLOUD_OPENVINO)
  file(GLOB openvino_root ${XCLOUD_VENV}/lib/python3*/site-packages/openvino)
  if(NOT openvino_root)
    message(FATAL_ERROR "No openvino wheel in ${XCLOUD_VENV}: run 'make setup', or configure with "
      "-DXCLOUD_VENV=DIR or -DXCLOUD_OPENVINO=OFF")
  endif()
  file(GLOB openvino_installed ${openvino_root}/../openvino-${XCLOUD_OPENVINO_VERSION}.dist-info)
  if(NOT openvino_installed)
    message(FATAL_ERROR "${openvino_root} is not openvino ${XCLOUD_OPENVINO_VERSION}: run "
      "'make setup'")
  endif()
  # The wheel has no libopenvino.so, only the file with its version: year % 100, then the rest.
  file(GLOB openvino_library ${openvino_root}/libs/libopenvino.so.*)
  set(XCLOUD_HAS_OPENVINO ON)
  set(OPENVINO_COMPILE_OPTIONS -idirafter ${openvino_root}/include)
  add_library(xcloud_openvino INTERFACE)
  target_link_libraries(xcloud_openvino INTERFACE ${openvino_library})
  target_link_options(xcloud_openvino INTERFACE
    # The system's libstdc++ first, as models/torch.cmake says.
    LINKER:--push-state,--no-as-needed,-lstdc++,--pop-state
    # And the wheel's TBB: Debian's OpenCV needs a libtbb.so.12 as well, an older one, and of two
    # with one name a program gets the one that is met first. OpenVINO crashes with the older.
    LINKER:--push-state,--no-as-needed,${openvino_root}/libs/libtbb.so.12,--pop-state
    -Wl,-rpath,${openvino_root}/libs -Wl,--allow-shlib-undefined)
endif()
message(STATUS "XCloud: OpenVINO ${XCLOUD_HAS_OPENVINO}")
