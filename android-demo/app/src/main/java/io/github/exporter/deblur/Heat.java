package io.github.exporter.deblur;

import android.content.Context;
import android.os.PowerManager;
import io.github.exporter.deblur.core.ThermalSource;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;

/** The thermal status of Android 10 and newer; found by name, because this code compiles against API 23. */
final class Heat implements ThermalSource {
    private static final int UNKNOWN = -1;

    private final PowerManager power;
    private final Method status;

    Heat(Context context) {
        power = (PowerManager) context.getSystemService(Context.POWER_SERVICE);
        Method found;
        try {
            found = PowerManager.class.getMethod("getCurrentThermalStatus");
        } catch (NoSuchMethodException error) {
            found = null;
        }
        status = found;
    }

    @Override
    public int status() {
        try {
            return status == null ? UNKNOWN : (Integer) status.invoke(power);
        } catch (IllegalAccessException error) {
            return UNKNOWN;
        } catch (InvocationTargetException error) { // some vendors have the method but no thermal service
            return UNKNOWN;
        }
    }
}
