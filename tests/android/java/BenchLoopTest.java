import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import io.github.exporter.deblur.core.BenchLoop;
import java.nio.ByteBuffer;
import org.junit.Test;

public final class BenchLoopTest {
    private final FakeClock clock = new FakeClock();
    private final FakeEngine engine = new FakeEngine(clock, true);
    private final BenchLoop loop = new BenchLoop(clock, clock);

    private void run(int warmup, int runs, int seconds) throws Exception {
        loop.run(engine, ByteBuffer.allocate(3), ByteBuffer.allocate(3), warmup, runs, seconds);
    }

    @Test
    public void theFirstCallAndTheWarmupAreNoSamples() throws Exception {
        run(4, 7, 0);
        assertEquals(50.0, loop.firstRunMs, 1e-9);
        assertEquals(7, loop.samplesMs.length);
        assertEquals(5.0, loop.samplesMs[0], 1e-9);
        assertEquals(1 + 4 + 7, engine.calls);
    }

    @Test
    public void itGoesOnUntilBothAreEnough() throws Exception {
        run(0, 7, 30);
        assertEquals(6000, loop.samplesMs.length); // 30 s of 5 ms
    }

    @Test
    public void theThermalStatusIsNotedBeforeDuringAndAfter() throws Exception {
        run(0, 1, 12);
        assertEquals(4, loop.thermalLog.size());
        assertEquals(0.0, loop.thermalLog.get(0).get("after_s"));
        assertEquals(5.0, (Double) loop.thermalLog.get(1).get("after_s"), 0.01);
        assertEquals(12.0, (Double) loop.thermalLog.get(3).get("after_s"), 0.01);
        assertTrue((Integer) loop.thermalLog.get(3).get("status") > (Integer) loop.thermalLog.get(0).get("status"));
    }
}
