package io.github.exporter.deblur.core;

/** Time that only goes forward. */
public interface Clock {
    long nanos();

    Clock SYSTEM = new Clock() {
        @Override
        public long nanos() {
            return System.nanoTime();
        }
    };
}
