# Finds LibTorch inside the PyPI torch wheel and, where asked for, CUDA.
#
# The wheel's own TorchConfig.cmake insists on a CUDA toolkit even for a CPU-only build, so we
# declare the imported targets ourselves: xcloud_torch (CPU) and xcloud_torch_cuda.
# Sets XCLOUD_HAS_TORCH and XCLOUD_HAS_CUDA.
set(XCLOUD_TORCH_VERSION 2.11.0)
set(XCLOUD_HAS_TORCH OFF)
set(XCLOUD_HAS_CUDA OFF)

if(XCLOUD_TORCH)
  file(GLOB torch_root ${XCLOUD_VENV}/lib/python3*/site-packages/torch)
  if(NOT torch_root)
    message(FATAL_ERROR "No torch wheel in ${XCLOUD_VENV}: run 'make setup', or configure with "
      "-DXCLOUD_VENV=DIR or -DXCLOUD_TORCH=OFF")
  endif()
  file(READ ${torch_root}/version.py torch_version)
  if(NOT torch_version MATCHES "__version__ = '${XCLOUD_TORCH_VERSION}[+']")
    message(FATAL_ERROR "${torch_root} is not torch ${XCLOUD_TORCH_VERSION}: run 'make setup'")
  endif()
  set(XCLOUD_HAS_TORCH ON)
  file(GLOB nvidia_lib_dirs ${torch_root}/../nvidia/*/lib)
  add_library(xcloud_torch INTERFACE)
  # Searched after the system's: the wheel brings an fmt of its own (12), which spdlog's headers
  # must not meet. Like -isystem, -idirafter silences warnings.
  foreach(dir IN ITEMS ${torch_root}/include ${torch_root}/include/torch/csrc/api/include)
    target_compile_options(xcloud_torch INTERFACE
      "$<$<COMPILE_LANGUAGE:CXX>:SHELL:-idirafter ${dir}>")
  endforeach()
  target_link_libraries(xcloud_torch INTERFACE
    ${torch_root}/lib/libtorch.so ${torch_root}/lib/libtorch_cpu.so ${torch_root}/lib/libc10.so)
  target_link_options(xcloud_torch INTERFACE
    # The wheel's libraries export parts of std::filesystem from another libstdc++, and a program
    # that binds to them crashes in remove_all. Options come first on the link line, so the
    # system's libstdc++ is searched before them, by the linker and when the program is loaded.
    LINKER:--push-state,--no-as-needed,-lstdc++,--pop-state
    -Wl,-rpath,${torch_root}/lib
    # The wheel's libraries find each other by their own RPATH; the linker need not.
    -Wl,--allow-shlib-undefined)
endif()

if(XCLOUD_CUDA STREQUAL "OFF" OR NOT XCLOUD_HAS_TORCH)
  if(XCLOUD_CUDA STREQUAL "ON")
    message(FATAL_ERROR "XCLOUD_CUDA=ON needs XCLOUD_TORCH=ON")
  endif()
else()
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    # CMake 3.25 does not know how to ask nvcc for C++20.
    set(CMAKE_CUDA_STANDARD 17)
    if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
      set(CMAKE_CUDA_ARCHITECTURES 80-real 86-real 89-real 90)
    endif()
    enable_language(CUDA)
    find_package(CUDAToolkit REQUIRED)
    add_library(xcloud_torch_cuda INTERFACE)
    target_link_libraries(xcloud_torch_cuda INTERFACE xcloud_torch
      # torch_cuda registers its kernels when it is loaded, so nothing names it: keep it.
      -Wl,--push-state,--no-as-needed ${torch_root}/lib/libtorch_cuda.so
      ${torch_root}/lib/libc10_cuda.so -Wl,--pop-state CUDA::cudart)
    foreach(dir IN LISTS nvidia_lib_dirs)
      target_link_options(xcloud_torch_cuda INTERFACE -Wl,-rpath,${dir})
    endforeach()
    set(XCLOUD_HAS_CUDA ON)
  elseif(XCLOUD_CUDA STREQUAL "ON")
    message(FATAL_ERROR "XCLOUD_CUDA=ON, but no nvcc was found")
  endif()
endif()
message(STATUS "XCloud: torch ${XCLOUD_HAS_TORCH}, CUDA ${XCLOUD_HAS_CUDA}, "
  "sanitizers '${XCLOUD_SANITIZE}'")
