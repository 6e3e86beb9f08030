package io.github.exporter.deblur.core;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Times an engine: the first call, warm-up calls, then calls until there are enough and enough time went by. */
public final class BenchLoop {
    private static final double THERMAL_EVERY_S = 5;

    private final Clock clock;
    private final ThermalSource thermal;

    public double firstRunMs;
    /** One figure per timed call: write + run + read. */
    public double[] samplesMs = new double[0];
    /** The thermal status with seconds since the first timed call. */
    public final List<Map<String, Object>> thermalLog = new ArrayList<Map<String, Object>>();

    public BenchLoop(Clock clock, ThermalSource thermal) {
        this.clock = clock;
        this.thermal = thermal;
    }

    /**
     * @param runs least number of timed calls
     * @param seconds least time that they go on
     */
    public void run(Engine engine, ByteBuffer input, ByteBuffer output, int warmup, int runs, int seconds)
            throws EngineException {
        firstRunMs = timedMs(engine, input, output);
        for (int i = 0; i < warmup; i++) {
            timedMs(engine, input, output);
        }
        double[] samples = new double[Math.max(runs, 1024)];
        int count = 0;
        long start = clock.nanos();
        note(0);
        double noted = 0;
        double elapsed = 0;
        while (count < runs || elapsed < seconds) {
            if (count == samples.length) {
                samples = Arrays.copyOf(samples, 2 * count);
            }
            samples[count++] = timedMs(engine, input, output);
            elapsed = (clock.nanos() - start) / 1e9;
            if (elapsed - noted >= THERMAL_EVERY_S) {
                note(elapsed);
                noted = elapsed;
            }
        }
        note(elapsed);
        samplesMs = Arrays.copyOf(samples, count);
    }

    private double timedMs(Engine engine, ByteBuffer input, ByteBuffer output) throws EngineException {
        long start = clock.nanos();
        engine.run(input, output);
        return (clock.nanos() - start) / 1e6;
    }

    private void note(double afterSeconds) {
        Map<String, Object> entry = new LinkedHashMap<String, Object>();
        entry.put("after_s", afterSeconds);
        entry.put("status", thermal.status());
        thermalLog.add(entry);
    }
}
