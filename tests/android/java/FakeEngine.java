import io.github.exporter.deblur.core.Engine;
import io.github.exporter.deblur.core.EngineException;
import java.nio.ByteBuffer;

/** Gives what it was fed, plus an error; every call takes {@code costNanos} of a fake clock. */
final class FakeEngine implements Engine {
    final boolean accelerated;
    final FakeClock clock;
    long costNanos = 5000000;
    byte error;
    int calls;
    boolean closed;

    FakeEngine(FakeClock clock, boolean accelerated) {
        this.clock = clock;
        this.accelerated = accelerated;
    }

    @Override
    public boolean isAccelerated() {
        return accelerated;
    }

    @Override
    public String name() {
        return "fake 1.0";
    }

    @Override
    public void run(ByteBuffer input, ByteBuffer output) throws EngineException {
        clock.now += calls++ == 0 ? 10 * costNanos : costNanos;
        input.rewind();
        output.rewind();
        while (output.hasRemaining()) {
            output.put((byte) (input.get() + error));
        }
        input.rewind();
        output.rewind();
    }

    @Override
    public void close() {
        closed = true;
    }
}
