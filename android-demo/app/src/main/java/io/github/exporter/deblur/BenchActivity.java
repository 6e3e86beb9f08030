package io.github.exporter.deblur;

import android.app.Activity;
import android.os.Bundle;
import android.os.Debug;
import android.util.Log;
import android.view.WindowManager;
import android.widget.TextView;
import io.github.exporter.deblur.core.BenchRequest;
import io.github.exporter.deblur.core.BenchRun;
import io.github.exporter.deblur.core.Clock;
import io.github.exporter.deblur.core.MemorySource;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;

/**
 * One run of the bench protocol in a foreground app, started by `adb shell am start` with the request as extras. It
 * writes one JSON file and finishes; what happens is core's BenchRun, which a JVM runs as well.
 */
public final class BenchActivity extends Activity {
    private static final String TAG = "bench";

    @Override
    protected void onCreate(Bundle state) {
        super.onCreate(state);
        getWindow().addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON
                | WindowManager.LayoutParams.FLAG_SHOW_WHEN_LOCKED
                | WindowManager.LayoutParams.FLAG_TURN_SCREEN_ON
                | WindowManager.LayoutParams.FLAG_DISMISS_KEYGUARD);
        TextView text = new TextView(this);
        text.setText(R.string.opening);
        setContentView(text);
        getExternalFilesDir(null); // makes the folder that the result goes into
        Thread thread = new Thread(new Runnable() {
            @Override
            public void run() {
                measure();
                finish();
            }
        }, TAG);
        thread.setPriority(Thread.MAX_PRIORITY);
        thread.start();
    }

    private void measure() {
        MemorySource memory = new MemorySource() {
            @Override
            public int kilobytes() {
                return (int) Debug.getPss();
            }
        };
        try {
            BenchRequest request = new BenchRequest(extras());
            new BenchRun(request, Engines.factory(this), new Heat(this), memory, Clock.SYSTEM).run();
        } catch (IllegalArgumentException error) { // there is no result path to write to
            Log.e(TAG, "the extras are wrong: " + error.getMessage());
        } catch (IOException error) {
            Log.e(TAG, "the result cannot be written: " + error.getMessage());
        }
    }

    private Map<String, Object> extras() {
        Map<String, Object> extras = new HashMap<String, Object>();
        Bundle given = getIntent().getExtras();
        if (given != null) {
            for (String key : given.keySet()) {
                extras.put(key, given.get(key));
            }
        }
        return extras;
    }
}
