import io.github.exporter.deblur.core.Engine;
import io.github.exporter.deblur.core.EngineException;
import io.github.exporter.deblur.core.ModelSize;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** Gives what it was fed, plus an error; every call takes {@code costNanos} of a fake clock. */
final class FakeEngine implements Engine {
    final boolean accelerated;
    final FakeClock clock;
    long costNanos = 5000000;
    byte error;
    String errorAt; // a size
    int calls;
    boolean closed;
    final List<String> ran = new ArrayList<String>(); // sizes, in order

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
    public void run(ModelSize size, ByteBuffer input, ByteBuffer output) throws EngineException {
        ran.add(size.name);
        run(input, output);
        if (size.name.equals(errorAt)) {
            output.put(0, (byte) (output.get(0) + 90));
        }
    }

    @Override
    public void close() {
        closed = true;
    }
}
