package io.github.exporter.deblur.core;

import java.io.File;
import java.util.Map;

/** What the host asks of one run; the keys are the extras of {@code am start}. */
public final class BenchRequest {
    /** 32 hex digits; comes back in the result, so that a stale file is noticed. */
    public final String run;
    public final File model;
    /** Holds 0.input.npy, 0.output.npy, 1.input.npy … */
    public final File golden;
    public final Backend backend;
    public final int threads;
    public final int warmup;
    public final int runs;
    /** Least time that the timed calls go on. */
    public final int seconds;
    public final File result;

    /** @throws IllegalArgumentException naming the key that is absent or wrong */
    public BenchRequest(Map<String, ?> extras) {
        run = text(extras, "run");
        if (!run.matches("[0-9a-f]{32}")) {
            throw new IllegalArgumentException("run: 32 hex digits are wanted, not " + run);
        }
        model = new File(text(extras, "model"));
        golden = new File(text(extras, "golden"));
        backend = Backend.of(text(extras, "backend"));
        threads = atLeast(extras, "threads", 1);
        warmup = atLeast(extras, "warmup", 0);
        runs = atLeast(extras, "runs", 1);
        seconds = atLeast(extras, "seconds", 0);
        result = new File(text(extras, "result"));
    }

    private static String text(Map<String, ?> extras, String key) {
        Object value = extras.get(key);
        if (!(value instanceof String) || ((String) value).isEmpty()) {
            throw new IllegalArgumentException(key + ": a text is wanted, not " + value);
        }
        return (String) value;
    }

    private static int atLeast(Map<String, ?> extras, String key, int least) {
        Object value = extras.get(key);
        if (!(value instanceof Integer) || (Integer) value < least) {
            throw new IllegalArgumentException(key + ": a whole number from " + least + " is wanted, not " + value);
        }
        return (Integer) value;
    }
}
