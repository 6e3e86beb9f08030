import static org.junit.Assert.assertEquals;

import io.github.exporter.deblur.core.FramePacer;
import java.util.Random;
import org.junit.Test;

public final class FramePacerTest {
    private static final long FRAME_NANOS = 33333333;

    /** Frames restored of 120 that a camera delivers at 30 fps, its clock trembling by 2 ms. */
    private static int taken(FramePacer pacer, long costNanos) {
        Random random = new Random(1);
        int taken = 0;
        for (int i = 0; i < 120; i++) {
            if (pacer.take(i * FRAME_NANOS + random.nextInt(4000000) - 2000000)) {
                pacer.done(costNanos);
                taken++;
            }
        }
        return taken;
    }

    @Test
    public void whatIsFastEnoughLosesNoFrame() {
        assertEquals(120, taken(new FramePacer(), 10000000));
    }

    @Test
    public void whatIsSlowerTakesEveryNth() {
        FramePacer pacer = new FramePacer();
        assertEquals(40, taken(pacer, 80000000), 2);
        assertEquals(3, pacer.everyNth());
        assertEquals(10.0, pacer.framesPerSecond(), 0.7);
    }

    @Test
    public void aHotDeviceRests() {
        FramePacer pacer = new FramePacer();
        pacer.setThermalStatus(3);
        assertEquals(60, taken(pacer, 10000000), 2);
        pacer.setThermalStatus(4);
        assertEquals(4, pacer.everyNth());
    }
}
