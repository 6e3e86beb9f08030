package io.github.exporter.deblur.core;

/** Shows the live picture; called on the camera's thread. */
public interface LiveView {
    /**
     * @param picture the upright frame, its middle restored
     * @param status one line: what was done, on what, how fast
     */
    void show(RgbImage picture, String status);

    /** The picture stops; one sentence why. */
    void stopped(String sentence);
}
