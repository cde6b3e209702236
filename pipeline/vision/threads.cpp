#include <opencv2/core/utility.hpp>

// gocv 0.31 does not wrap this one.
extern "C" void veil_one_thread() {
    try {
        cv::setNumThreads(1);
    } catch (...) {
    }
}
