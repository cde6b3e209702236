#include <opencv2/core/hal/intrin.hpp>

// veil_planes takes a packed picture of three bytes a pixel apart into three planes of floats, value by value. step is the bytes of a
// picture's row, out the floats of a plane's.
extern "C" void veil_planes(const unsigned char *picture, size_t step, int width, int height, float *first, float *second, float *third,
                            size_t out) {
    float *planes[3] = {first, second, third};
    for (int y = 0; y < height; y++, picture += step) {
        int x = 0;
#if CV_SIMD128
        for (; x <= width - 16; x += 16) {
            cv::v_uint8x16 bytes[3];
            cv::v_load_deinterleave(picture + 3 * x, bytes[0], bytes[1], bytes[2]);
            for (int c = 0; c < 3; c++) {
                cv::v_uint16x8 half[2];
                cv::v_expand(bytes[c], half[0], half[1]);
                for (int i = 0; i < 2; i++) {
                    cv::v_uint32x4 low, high;
                    cv::v_expand(half[i], low, high);
                    cv::v_store(planes[c] + x + 8 * i, cv::v_cvt_f32(cv::v_reinterpret_as_s32(low)));
                    cv::v_store(planes[c] + x + 8 * i + 4, cv::v_cvt_f32(cv::v_reinterpret_as_s32(high)));
                }
            }
        }
#endif
        for (; x < width; x++) {
            for (int c = 0; c < 3; c++) {
                planes[c][x] = picture[3 * x + c];
            }
        }
        for (int c = 0; c < 3; c++) {
            planes[c] += out;
        }
    }
}
