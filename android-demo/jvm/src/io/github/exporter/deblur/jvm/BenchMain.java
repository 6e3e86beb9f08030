package io.github.exporter.deblur.jvm;

import io.github.exporter.deblur.core.BenchRequest;
import io.github.exporter.deblur.core.BenchRun;
import io.github.exporter.deblur.core.Clock;
import io.github.exporter.deblur.core.MemorySource;
import io.github.exporter.deblur.core.ThermalSource;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;

/**
 * BenchActivity without a phone: the same run, started with the same words. {@code BenchMain PYTHON CHILD [--es KEY
 * VALUE | --ei KEY NUMBER]…}; CHILD is android-demo/jvm/litert_child.py.
 */
public final class BenchMain {
    private BenchMain() {}

    public static void main(String[] words) throws IOException {
        Map<String, Object> extras = new HashMap<String, Object>();
        for (int i = 2; i + 2 < words.length; i += 3) {
            boolean isNumber = words[i].equals("--ei");
            extras.put(words[i + 1], isNumber ? (Object) Integer.valueOf(words[i + 2]) : words[i + 2]);
        }
        ThermalSource thermal = new ThermalSource() {
            @Override
            public int status() {
                return -1;
            }
        };
        MemorySource memory = new MemorySource() {
            @Override
            public int kilobytes() {
                Runtime runtime = Runtime.getRuntime();
                return (int) ((runtime.totalMemory() - runtime.freeMemory()) / 1024);
            }
        };
        ProcessEngines engines = new ProcessEngines(words[0], words[1]);
        new BenchRun(new BenchRequest(extras), engines, thermal, memory, Clock.SYSTEM).run();
    }
}
