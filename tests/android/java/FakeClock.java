import io.github.exporter.deblur.core.Clock;
import io.github.exporter.deblur.core.ThermalSource;

/** Time that goes on when told to, and a device that gets hotter with it. */
final class FakeClock implements Clock, ThermalSource {
    long now;

    @Override
    public long nanos() {
        return now;
    }

    @Override
    public int status() {
        return (int) (now / 10000000000L);
    }
}
